import { isRefusal, type WafSettings } from '@sallyport/contracts';
import { policyInput, someRoute } from '@sallyport/testkit';
import { compileRoute } from '../../compile';
import { RequestDraft } from '../../draft';

function send(body: string | Buffer, mediaType: string, waf: WafSettings = {}, coding?: string) {
  const route = someRoute({ waf: { ...waf, body: { ...waf.body, normalise: true } } });
  const fields = [
    { name: 'content-type', value: mediaType },
    ...(coding === undefined ? [] : [{ name: 'content-encoding', value: coding }]),
  ];
  const field = new Map(fields.map(({ name, value }) => [name, value] as const));
  const input = policyInput({ method: 'POST', hasBody: true, mediaType, fields, field });
  const draft = new RequestDraft(input.request, '/orders');
  const step = compileRoute(route).requestBody[0]!;
  let made: unknown;
  if (step.run.mode === 'whole') step.run.run(input, Buffer.from(body), draft, (given) => (made = given));
  if (isRefusal(made)) return made.code;
  return Buffer.isBuffer(made) ? made.toString('latin1') : made;
}

const json = 'application/json';
const form = 'application/x-www-form-urlencoded';

describe('a body that is normalised', () => {
  it.each([
    ['loses the white space of JSON', json, ' { "a" : [ 1 , 2 ] } ', '{"a":[1,2]}'],
    ['keeps numbers to the digit', json, '{"n":12345678901234567890.10}', '{"n":12345678901234567890.10}'],
    ['keeps the order of members', json, '{"b":1,"a":2,"10":3,"2":4}', '{"b":1,"a":2,"10":3,"2":4}'],
    ['has no escape that need not be one', json, String.raw`{"\u0061\/b":"\u0022"}`, String.raw`{"a/b":"\""}`],
    ['keeps half a character as the escape it was', json, String.raw`["\ud800"]`, String.raw`["\ud800"]`],
    ['keeps __proto__ a name', 'application/vnd.api+json', '{"__proto__":1}', '{"__proto__":1}'],
    ['writes a form in one way', form, 'a=%41%20b&%61=c+d&e', 'a=A+b&a=c+d&e='],
    ['escapes what could be read as a sign', form, 'a=1=2;b&c=é', 'a=1%3D2%3Bb&c=%C3%A9'],
    ['has no empty arguments', form, '&a=1&&=&', 'a=1'],
  ])('%s', (_, mediaType, body, sent) => expect(send(body, mediaType)).toBe(sent));

  it.each([
    ['a member twice', json, '{"a":1,"\\u0061":2}', 'REQUEST_MALFORMED'],
    ['something behind the document', json, '{} {}', 'REQUEST_MALFORMED'],
    ['bytes that are no UTF-8', json, Buffer.from('"\xff"', 'latin1'), 'REQUEST_MALFORMED'],
    ['a broken escape', form, 'a=%4', 'REQUEST_MALFORMED'],
    ['too many arguments', form, 'a&'.repeat(1_001), 'REQUEST_MALFORMED'],
    ['a form of several parts', 'multipart/form-data', '--b--', 'MEDIA_TYPE_UNSUPPORTED'],
    ['XML', 'application/xml', '<a/>', 'MEDIA_TYPE_UNSUPPORTED'],
    ['no type', '', 'a', 'MEDIA_TYPE_UNSUPPORTED'],
  ])('is refused for %s', (_, mediaType, body, code) => expect(send(body, mediaType)).toBe(code));

  it('is refused when it is packed, for what is in it would be written again unpacked', () =>
    expect(send('{}', json, {}, 'gzip')).toBe('MEDIA_TYPE_UNSUPPORTED'));

  it('takes digests of what came off the head', () => {
    const input = policyInput({
      method: 'POST',
      hasBody: true,
      mediaType: json,
      fields: [{ name: 'digest', value: 'x' }],
    });
    const draft = new RequestDraft(input.request, '/orders');
    const { run } = compileRoute(someRoute({ waf: { body: { normalise: true } } })).requestBody[0]!;
    if (run.mode === 'whole') run.run(input, Buffer.from(' {}'), draft, () => undefined);
    expect(draft.fields.has('digest')).toBe(false);
  });

  it('may be empty', () => expect(send('', json)).toBeUndefined());

  it('is written the same when it is normalised again', () => {
    for (const [type, body] of [
      [json, '{"a":["\\u00e9",1e5,null]}'],
      [form, 'a=%e9&b=%00+x'],
    ] as const)
      expect(send(Buffer.from(send(body, type) as string, 'latin1'), type)).toBe(send(body, type));
  });
});

describe('a route that normalises', () => {
  const stepsOf = (waf: WafSettings, policies: { policy: string; config: object }[] = []) =>
    compileRoute(someRoute({ waf, policies: policies as never })).requestBody;

  it('does so before its policies see the body', () => {
    const validation = { policy: 'request-transform', config: { json: [{ remove: '/a' }] } };
    expect(stepsOf({ body: { normalise: true } }, [validation]).map(({ id }) => id)).toEqual([
      'waf',
      'request-transform',
    ]);
  });

  it('takes no body of which it inspects a part only', () =>
    expect(stepsOf({ body: { normalise: true, inspect: '4KiB', over: 'partial' } })[0]!.run).toMatchObject({
      mode: 'whole',
      maxBytes: 4096,
    }));

  it.each<WafSettings>([{}, { body: { normalise: false } }])('is one that says so, unlike %j', (waf) =>
    expect(stepsOf(waf)).toEqual([]),
  );

  it.each(['detect', 'off'] as const)('changes nothing in %s', (mode) =>
    expect(stepsOf({ mode, body: { normalise: true } })).toEqual([]),
  );

  it('is inspected by the same plan as one that does not', () => {
    const planOf = (waf: WafSettings) => compileRoute(someRoute({ waf })).inspection?.plan;
    expect(planOf({ body: { normalise: true } })).toBe(planOf({}));
    expect(planOf({ body: { normalise: true, strict: false } })).toBe(planOf({ body: { strict: false } }));
  });
});
