// A process with a spool in the folder that it is given, in a process namespace of the name that it is given. It writes record after
// record, ships them, and says on standard output what it has been told is written, what it has shipped, and what happens to its spool.
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import process from 'node:process';

const require = createRequire(import.meta.url);
const { auditV1, systemClock } = require('../../dist/libs/contracts/src/index.js');
const { adoptTrails, controlReported, openTrail, startShipper } = require('../../dist/libs/trail/src/index.js');
const { nodeProcesses } = require('../../dist/libs/trail/src/node-ports.js');

const [, , directory, space] = process.argv;
const RECORD_MS = 10;

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

async function publish(bytes) {
  const { chain, firstSeq, bodies } = auditV1.Batch.decode(bytes);
  const uids = bodies.map((body) => JSON.parse(Buffer.from(body).toString()).metadata.uid);
  say({ shipped: uids, chain, firstSeq: Number(firstSeq) });
}

const options = {
  directory,
  app: 'ingress',
  cluster: 'test',
  maxBytes: 64 * 1024 * 1024,
  version: '0.0.0',
  tenant: 'system',
  random: randomBytes,
  processes: { ...nodeProcesses(), space },
  onNote: (note) => say({ note }),
};

const trail = await openTrail(options);
startShipper({ spool: trail.spool, clock: systemClock, publish });
adoptTrails({ ...options, publish });
say({ opened: trail.producer, chain: trail.spool.chain });
setInterval(() => {
  const facts = { now: Date.now(), random: randomBytes, tenant: 'default', app: 'ingress', what: 'start' };
  const record = controlReported(facts);
  trail.append(record).written.then(
    () => say({ written: record.uid }),
    () => {},
  );
}, RECORD_MS);
