// Starts the all-in-one cluster, after installing and building what is missing: `npm start [-- --json]`
import { runToItsEnd } from './start-app.mjs';
import { whenMain } from './process.mjs';

whenMain(import.meta, (args) => runToItsEnd('all-in-one', args));
