import { createWriteStream } from 'node:fs';
import type { Closable } from '@sallyport/platform';

export interface RuleLog extends Closable {
  /** @param line without its end */
  write(line: string): void;
}

/** Opens the file that gets a line for every rule that hit, as ModSecurity writes it; what is there already stays. */
export function openRuleLog(file: string): RuleLog {
  const stream = createWriteStream(file, { flags: 'a', mode: 0o600, encoding: 'latin1' });
  // A log that cannot be written is no reason to end the service.
  stream.on('error', () => undefined);
  return {
    write: (line) => void stream.write(`${line}\n`),
    close: () => new Promise((resolve) => stream.end(() => resolve())),
  };
}
