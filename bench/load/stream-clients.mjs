// Opens many event streams and prints how late each event came, as JSON: `node stream-clients.mjs '<plan as JSON>'`
// The plan: `host`, `port`, `path`, `fields`, `streams`, `seconds`. Events carry the moment they were sent at, on the clock that all
// processes of a machine share.
import { connect } from 'node:net';

const plan = JSON.parse(process.argv[2]);
const delays = [];
let opened = 0;
let broken = 0;
let measuring = false;

function open() {
  const socket = connect(plan.port, plan.host, () => {
    const fields = Object.entries(plan.fields ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET ${plan.path} HTTP/1.1\r\nhost: ${plan.host}:${plan.port}\r\n${fields.join('')}\r\n`);
  });
  let first = true;
  socket.on('data', (bytes) => {
    const now = process.hrtime.bigint();
    const text = bytes.latin1Slice();
    if (first) {
      first = false;
      if (text.startsWith('HTTP/1.1 200')) opened++;
      else broken++;
    }
    if (!measuring) return;
    for (const [, sentAt] of text.matchAll(/data: (\d+)/g)) delays.push(Number(now - BigInt(sentAt)) / 1000);
  });
  socket.on('error', () => undefined);
  socket.on('close', () => broken++);
}

// A few at a time: what is measured is streams that are open, not the rush of opening them.
let begun = 0;
const opening = setInterval(() => {
  for (let at = 0; at < 20 && begun < plan.streams; at++, begun++) open();
  if (begun < plan.streams) return;
  clearInterval(opening);
  setTimeout(() => {
    process.stdout.write('open\n');
    measuring = true;
    setTimeout(report, plan.seconds * 1000);
  }, 2000);
}, 20);

function report() {
  delays.sort((one, other) => one - other);
  const at = (share) => Math.round(delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] ?? 0);
  const figures = { opened, broken, events: delays.length, p50_us: at(0.5), p99_us: at(0.99) };
  process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0));
}
