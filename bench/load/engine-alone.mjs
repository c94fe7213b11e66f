// The engine in a process of its own, beside the systems it is compared with: `node engine-alone.mjs FOLDER SETUP`, then by
// messages `{ kind, seconds }`, each answered by how many of those requests it inspected in how many microseconds of processor time.
import { askedWith, engineOf, inspectFor, placeOf } from '../waf-engine.mjs';

const [folder, setup] = process.argv.slice(2);
const built = await engineOf(placeOf(folder, setup), 1);
const states = new Map();

process.on('message', ({ kind, seconds }) => {
  if (!states.has(kind)) states.set(kind, askedWith(built, kind));
  process.send(inspectFor(states.get(kind), seconds));
});
process.once('disconnect', () => process.exit(0));
process.send({ ready: built.name });
