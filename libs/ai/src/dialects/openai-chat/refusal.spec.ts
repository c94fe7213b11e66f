import { errors, refuse, type ErrorCode } from '@sallyport/contracts';
import { renderOpenAiErrorEvent, renderOpenAiRefusal } from './refusal';

const codes = Object.keys(errors) as ErrorCode[];

describe('renderOpenAiRefusal', () => {
  it.each(codes)('shows %s as OpenAI shows an error, and tells its clients whether to try again', (code) => {
    const { status, fields, body } = renderOpenAiRefusal(refuse(code, {}, { reason: 'canary' }), 'req_1');
    const spec = errors[code];
    const parsed = JSON.parse(body.toString()) as { error: Record<string, unknown> };
    expect(Object.keys(parsed)).toEqual(['error']);
    expect(Object.keys(parsed.error)).toEqual(['message', 'type', 'param', 'code']);
    expect(parsed.error).toMatchObject({
      type: spec.openai.type,
      message: expect.any(String),
      code: expect.any(String),
    });
    expect(body.toString()).not.toContain('canary');
    expect(status).toBe(spec.http);
    expect(fields['x-should-retry']).toBe(String(spec.retry === 'later' || spec.retry === 'elsewhere'));
    expect(fields).toMatchObject({
      'x-request-id': 'req_1',
      'x-sallyport-request-id': 'req_1',
      'cache-control': 'no-store',
    });
    expect(fields['content-length']).toBe(String(body.length));
  });

  it('tells the exact wait in milliseconds beside the whole seconds', () => {
    const refusal = refuse('LIMIT_EXCEEDED', { policy: 'p', limit: 1, window: 1, seconds: 2 }, { retryAfterMs: 1_234 });
    const { status, fields, body } = renderOpenAiRefusal(refusal, 'req_1');
    expect(status).toBe(429);
    expect(fields).toMatchObject({ 'retry-after': '2', 'retry-after-ms': '1234', 'x-should-retry': 'true' });
    expect(JSON.parse(body.toString())).toMatchObject({
      error: { type: 'rate_limit_error', code: 'rate_limit_exceeded' },
    });
  });

  it('points at the model where that is what is wrong', () => {
    const { body } = renderOpenAiRefusal(refuse('AI_MODEL_UNKNOWN', { model: 'x' }), 'req_1');
    expect(JSON.parse(body.toString())).toEqual({
      error: {
        message: 'There is no model “x”.',
        type: 'invalid_request_error',
        param: 'model',
        code: 'model_not_found',
      },
    });
  });
});

describe('renderOpenAiErrorEvent', () => {
  it('is one event with the same object', () => {
    const text = renderOpenAiErrorEvent(refuse('UPSTREAM_BROKE')).toString();
    expect(text).toMatch(/^data: \{"error":\{.*\}\}\n\n$/);
  });
});
