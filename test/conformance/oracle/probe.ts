import { spawnSync } from 'node:child_process';

/** What libmodsecurity finds in a value. */
export interface Finding {
  readonly positive: boolean;
  /** Empty where nothing was found, and for script injection. */
  readonly fingerprint: string;
}

const fingerprintBytes = 8;
const answerBytes = 1 + fingerprintBytes;

/**
 * Asks tools/probe-libinjection.
 * @param program as `compiled` gave it
 * @param options `--rule` to ask through a rule instead of what its operator calls
 */
export function probe(
  program: string,
  detector: 'sqli' | 'xss',
  values: readonly string[],
  options: readonly string[] = [],
): Finding[] {
  const { stdout, status } = spawnSync(program, options, {
    input: Buffer.concat(values.map((value) => frameOf(detector === 'sqli' ? 's' : 'x', value))),
    maxBuffer: 1 << 30,
  });
  if (status !== 0) throw new Error(`The probe ended with ${status}`);
  return values.map((_, at) => {
    const answer = stdout.subarray(at * answerBytes, (at + 1) * answerBytes);
    return { positive: answer[0] === 1, fingerprint: answer.toString('latin1', 1).replace(/\0.*$/s, '') };
  });
}

function frameOf(kind: string, value: string): Buffer {
  const head = Buffer.alloc(5);
  head.write(kind, 0, 'latin1');
  head.writeUInt32LE(value.length, 1);
  return Buffer.concat([head, Buffer.from(value, 'latin1')]);
}
