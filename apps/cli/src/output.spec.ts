import { Failure } from './failure';
import { dayOf, listing, Output, plain, plainProse, table } from './output';

function output({ json = false, terminal = false, environment = {} as NodeJS.ProcessEnv } = {}) {
  const written = { stdout: '', stderr: '' };
  const sink = (name: keyof typeof written) => ({ write: (text: string) => (written[name] += text), isTTY: terminal });
  return { written, output: new Output({ stdout: sink('stdout'), stderr: sink('stderr'), json, environment }) };
}

const failure = new Failure('An active key named “demo” exists.', {
  exitCode: 1,
  code: 'AUTH_KEY_CONFLICT',
  requestId: 'req_1',
  places: ['/name: taken'],
  next: 'sallyport key list',
});

describe('the output', () => {
  it('keeps results and what is said about them apart', () => {
    const { written, output: out } = output();
    out.line('sp_live_x');
    out.note('shown once');
    expect(written).toEqual({ stdout: 'sp_live_x\n', stderr: 'shown once\n' });
  });

  it('gives a program the document of a result, and a person its lines, made safe to show', () => {
    const [forPerson, forProgram] = [output(), output({ json: true })];
    for (const { output: out } of [forPerson, forProgram]) out.result({ name: 'a\u001b[2J' }, 'key a\u001b[2J', 'made');
    expect(forPerson.written.stdout).toBe('key a�[2J\nmade\n');
    expect(forProgram.written.stdout).toBe('{"name":"a\\u001b[2J"}\n');
  });

  it('says code, places, request and the next command of a failure', () => {
    const { written, output: out } = output();
    out.failure(failure);
    expect(written).toEqual({
      stdout: '',
      stderr:
        '✘ AUTH_KEY_CONFLICT  An active key named “demo” exists.\n  /name: taken\n' +
        '  request  req_1\n  next     sallyport key list\n',
    });
  });

  it('gives a program one document for a failure, and no notes', () => {
    const { written, output: out } = output({ json: true });
    out.note('shown once');
    out.failure(failure);
    expect(written.stderr).toBe('');
    expect(JSON.parse(written.stdout)).toEqual({
      error: {
        code: 'AUTH_KEY_CONFLICT',
        message: 'An active key named “demo” exists.',
        requestId: 'req_1',
        places: ['/name: taken'],
        next: 'sallyport key list',
        exitCode: 1,
      },
    });
  });

  it('has colours on a terminal only, and not where they are refused', () => {
    const painted = (options: Parameters<typeof output>[0]) => output(options).output.paint('red', 'x');
    expect(painted({ terminal: false })).toBe('x');
    expect(painted({ terminal: true, environment: { NO_COLOR: '1' } })).toBe('x');
    expect(painted({ terminal: true, environment: { TERM: 'dumb' } })).toBe('x');
  });
});

it('aligns columns and leaves no blanks at the ends of lines', () => {
  expect(
    table([
      ['a', 'bb'],
      ['ccc', 'd'],
      ['e', ''],
    ]),
  ).toEqual(['a    bb', 'ccc  d', 'e']);
  expect(table([])).toEqual([]);
});

it('shows no head over nothing', () => {
  expect(listing(['NAME'], [['demo']])).toEqual(['NAME', 'demo']);
  expect(listing(['NAME'], [])).toEqual([]);
});

it('writes a day as people do', () => {
  expect(dayOf('2027-02-03T07:27:18.091Z')).toBe('3 Feb 2027');
});

it('lets nothing that others wrote move the cursor', () => {
  expect(plain('a\u001b[2Jb\nc\u009b')).toBe('a�[2Jb�c�');
  expect(plainProse('a\n\tb\r\u001b[31m')).toBe('a\n\tb��[31m');
});
