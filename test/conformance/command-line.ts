import { parseArgs, type ParseArgsConfig } from 'node:util';

const USAGE = 64;

/**
 * Reads the arguments of a runner. For `--help`, and for arguments that are none of its own, it says what they are, and the process ends.
 * @param usage what can be said, a line each
 */
export function argumentsOf<const Options extends NonNullable<ParseArgsConfig['options']>>(
  options: Options,
  usage: readonly string[],
): ReturnType<typeof parseArgs<{ options: Options }>>['values'] {
  if (process.argv.includes('--help')) {
    console.log(usage.join('\n'));
    process.exit(0);
  }
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    console.error([(error as Error).message, '', ...usage].join('\n'));
    process.exit(USAGE);
  }
}
