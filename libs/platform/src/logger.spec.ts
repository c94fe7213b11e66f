import { createLogger, redact } from './logger';

function logged(write: (logger: ReturnType<typeof createLogger>) => void): Record<string, unknown> {
  let line = '';
  write(
    createLogger({ app: 'waf', node: 'node-1', level: 'info', destination: { write: (text) => void (line += text) } }),
  );
  return JSON.parse(line) as Record<string, unknown>;
}

describe('the log', () => {
  it('is one JSON line with time, level, message and application', () => {
    const line = logged((logger) => logger.child({ request_id: 'req_1' }).warn({ code: 'INTERNAL' }, 'it failed'));
    expect(line).toMatchObject({
      level: 'warn',
      msg: 'it failed',
      app: 'waf',
      node: 'node-1',
      request_id: 'req_1',
      code: 'INTERNAL',
    });
    expect(new Date(line['time'] as string).toISOString()).toBe(line['time']);
  });

  it('takes credentials out, however deep they lie', () => {
    const line = logged((logger) =>
      logger.info(
        { deep: { headers: { authorization: 'Bearer abcdef123', Cookie: ['a=b"c'] }, list: [{ password: 'p\\"q' }] } },
        'x',
      ),
    );
    expect(line['deep']).toEqual({
      headers: { authorization: '[redacted]', Cookie: '[redacted]' },
      list: [{ password: '[redacted]' }],
    });
  });

  it('takes credentials out of texts and of errors', () => {
    const error = new Error('cannot reach postgres://sally:hunter2@db/x with Bearer abcdef123456 and sp_live_abcd1234');
    const text = JSON.stringify(logged((logger) => logger.error({ err: error }, error.message)));
    expect(text).not.toMatch(/hunter2|abcdef123456|abcd1234/);
    expect(text).toContain('postgres://[redacted]@db/x');
  });

  it('stays valid JSON and leaves harmless words alone', () => {
    const line = '{"msg":"the bearer of a token bucket","tokens":5,"secretary":"a"}';
    expect(redact(line)).toBe(line);
  });
});
