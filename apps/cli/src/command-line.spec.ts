import { parseCommandLine, type Asked } from './command-line';
import { commands } from './commands/registry';
import { Failure } from './failure';

function parse(line: string): Asked {
  return parseCommandLine(line === '' ? [] : line.split(' '), commands);
}

function run(line: string) {
  const asked = parse(line);
  if (asked.kind !== 'run') throw new Error(`${line} asks for ${asked.kind}`);
  return asked;
}

function refused(line: string): Failure {
  try {
    parse(line);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error(`${line} was accepted`);
}

describe('the command line', () => {
  it('reads commands of one word and of two, with their operands and options in any order', () => {
    const { command, invocation } = run('key --json create demo --model echo --model fast --limit 60');
    expect(command.name).toBe('key create');
    expect(invocation.operands).toEqual(['demo']);
    expect(invocation.texts('model')).toEqual(['echo', 'fast']);
    expect(invocation.whole('limit', { from: 1, to: 100 })).toBe(60);
    expect(invocation.has('json')).toBe(true);
  });

  it('takes a short option with its value beside it, and a dash for standard input', () => {
    expect(run('tail -n1').invocation.text('lines')).toBe('1');
    expect(run('apply -f -').invocation.text('file')).toBe('-');
  });

  it('leaves what follows two dashes alone', () => {
    expect(run('chat -- --help').invocation.operands).toEqual(['--help']);
  });

  it.each([
    ['docter', 'There is no command “docter”. Did you mean “doctor”?'],
    ['key lst', 'There is no command “key lst”. Did you mean “key list”?'],
    ['key', '“key” is followed by create, list, revoke.'],
    ['frobnicate', 'There is no command “frobnicate”.'],
    ['doctor --jsno', 'doctor has no option --jsno. Did you mean --json?'],
    ['key list --dry-run', 'key list has no option --dry-run.'],
    ['apply -x', 'apply has no option -x.'],
    ['apply -f', '-f needs a value: FILE.'],
    ['apply -f --json', '-f needs a value: FILE.'],
    ['apply -f a -f b', '-f is given twice.'],
    ['doctor --json=yes', '--json takes no value.'],
    ['key create', 'key create needs NAME.'],
    ['chat hello there', 'chat does not take “there”; words with spaces stand in quotes.'],
    ['', 'No command was given.'],
  ])('refuses `%s` with one sentence and the exit code of usage', (line, message) => {
    const failure = refused(line);
    expect(failure.message).toBe(message);
    expect(failure.facts.exitCode).toBe(64);
    expect(failure.facts.next).toMatch(/^sallyport /);
  });

  it('refuses a number that is none, or out of range', () => {
    const { invocation } = run('tail -n many');
    expect(() => invocation.whole('lines', { from: 0, to: 9 })).toThrow(
      '--lines takes a whole number from 0 to 9, not “many”.',
    );
    expect(() => run('tail -n 10').invocation.whole('lines', { from: 0, to: 9 })).toThrow('from 0 to 9');
  });

  it('tells its version', () => {
    expect(parse('--version')).toEqual({ kind: 'version' });
  });
});

describe('the help', () => {
  const textOf = (line: string): string => {
    const asked = parse(line);
    return asked.kind === 'help' ? asked.text : '';
  };

  it('lists every command', () => {
    for (const { name } of commands) expect(textOf('--help')).toContain(`  ${name}`);
  });

  it.each(commands.map(({ name }) => name))('of `%s` shows its options and two examples', (name) => {
    const text = textOf(`${name} --help`);
    expect(text).toBe(textOf(`help ${name}`));
    expect(text).toContain(`Usage: sallyport ${name}`);
    expect(text.match(/^ {2}sallyport /gm)).toHaveLength(2);
    expect(text).toContain('--json');
  });

  it('of a group is that of each of its commands', () => {
    expect(textOf('help key').match(/^Usage: /gm)).toHaveLength(3);
  });

  it('is about commands that exist', () => {
    expect(refused('help docter').message).toContain('Did you mean “doctor”?');
  });

  it.each(commands.flatMap(({ examples }) => examples))('gives an example that is understood: %s', (example) => {
    const words = [...example.replace(/ <.*/, '').matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!);
    expect(parseCommandLine(words, commands).kind).toBe('run');
  });

  it.each(commands.filter(({ name }) => /apply|create|revoke/.test(name)).map(({ name }) => name))(
    'offers a dry run of `%s`, which writes',
    (name) => expect(textOf(`help ${name}`)).toContain('--dry-run'),
  );
});

it('gives a long option the same kind wherever it is known', () => {
  const kinds = new Map<string, Set<boolean>>();
  for (const { name, value } of commands.flatMap(({ options }) => options)) {
    kinds.set(name, (kinds.get(name) ?? new Set()).add(value !== undefined));
  }
  expect([...kinds].filter(([, takesValue]) => takesValue.size > 1)).toEqual([]);
});
