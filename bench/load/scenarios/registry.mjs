// Every scenario of `npm run bench:load`; a new one is a file and a line here.
import * as proxy from './proxy.mjs';
import * as routes from './routes.mjs';
import * as consult from './consult.mjs';
import { aiJson, aiPaced, aiStream } from './ai.mjs';
import * as sse from './sse.mjs';
import * as soak from './soak.mjs';
import * as waf from './waf.mjs';

export const scenarios = {
  proxy,
  routes,
  consult,
  'ai-json': aiJson,
  'ai-stream': aiStream,
  'ai-paced': aiPaced,
  sse,
  soak,
  waf,
};
