import fc from 'fast-check';
import { aiV1, formatUsd, isRefusal, refuse, systemClock } from '@sallyport/contracts';
import { readChatRequest } from '../dialects/openai-chat/parse';
import { readSettlement, writeSettlement } from '../ledger/settlement-record';
import { compilePrice } from '../prices/row';
import type { ChatFacts } from './chat-call';
import { completeChat } from './run-plan';
import type { Timers } from './timers';
import type { AnswerSink } from './wire-call';

const { OUTCOME_OK, OUTCOME_CLIENT_ABORTED, OUTCOME_UPSTREAM_ERROR, OUTCOME_REFUSED } = aiV1.Outcome;
const { USAGE_SOURCE_ESTIMATED, USAGE_SOURCE_REPORTED, USAGE_SOURCE_NONE } = aiV1.UsageSource;
const price = compilePrice({ inputPerMillion: '2.5', outputPerMillion: '10', currency: 'USD' });
const timeouts: aiV1.Timeouts = {
  connectMs: 1_000,
  headMs: 15_000,
  firstContentMs: 60_000,
  idleMs: 60_000,
  totalMs: 900_000,
  maxBytes: 64n * 1024n * 1024n,
};

/** Time that passes when it is told to. */
class HandTime implements Timers {
  now = 1_000;
  private readonly alarms = new Set<{ at: number; ring: () => void }>();

  after(ms: number, ring: () => void): () => void {
    const alarm = { at: this.now + ms, ring };
    this.alarms.add(alarm);
    return () => this.alarms.delete(alarm);
  }

  pass(ms: number): void {
    this.now += ms;
    for (const alarm of this.alarms) if (alarm.at <= this.now && this.alarms.delete(alarm)) alarm.ring();
  }
}

/** A target whose key has run out. */
const KEYLESS = 'keyless';

/** One answer of a vendor, with the sink it writes to. */
type Act = (sink: AnswerSink, leave: () => void, time: HandTime) => void;

/** A call of targets that act as they are told, one after the other, without a network between. */
function call(acts: Act | readonly (Act | typeof KEYLESS)[], request: object = {}, prices = price) {
  const targets = [acts].flat() as readonly (Act | typeof KEYLESS)[];
  const called = targets.filter((act) => act !== KEYLESS);
  const time = new HandTime();
  const settlements: aiV1.Settlement[] = [];
  const pieces: Buffer[] = [];
  const seen = { status: 0, fields: {} as Readonly<Record<string, string>>, facts: undefined as ChatFacts | undefined };
  const messages = [{ role: 'user', content: 'hi' }];
  const chat = readChatRequest(Buffer.from(JSON.stringify({ model: 'v', messages, stream: true, ...request })));
  if (isRefusal(chat)) throw new Error(String(chat.params['reason']));
  const opened: AnswerSink[] = [];
  const run = completeChat({
    requestId: 'req_1',
    tenant: 'default',
    consumer: 'shop',
    credential: 'kid',
    request: chat,
    planned: {
      plan: {
        virtualModel: 'v',
        revision: 'c_1',
        why: [],
        attempts: targets.map((act, at) => ({
          n: at + 1,
          provider: `vendor-${at + 1}`,
          model: 'm',
          wire: aiV1.Wire.WIRE_OPENAI_CHAT,
          url: '',
          credential: act === KEYLESS ? 'default/gone' : '',
          timeouts,
          price: prices,
          allowPrivate: false,
        })),
      },
      lease: () => undefined,
    },
    wires: new Map([
      [
        aiV1.Wire.WIRE_OPENAI_CHAT,
        (_, sink) => {
          opened.push(sink);
          return { resume: () => undefined, abort: () => undefined };
        },
      ],
    ]),
    clock: { now: () => systemClock.now(), monotonic: () => time.now },
    timers: time,
    random: (count) => new Uint8Array(count),
    client: {
      head: (status, fields) => Object.assign(seen, { status, fields }),
      data: (chunk) => pieces.push(chunk) > 0,
      end: () => undefined,
    },
    onSettled: (settlement) => settlements.push(settlement),
    onFinished: (facts) => (seen.facts = facts),
  });
  for (let at = 0; at < opened.length; at++) called[at]!(opened[at]!, () => run.gone(), time);
  return { ...seen, settlements, text: Buffer.concat(pieces).toString('utf8') };
}

const event = (value: unknown) => Buffer.from(`data: ${JSON.stringify(value)}\n\n`);
const says = (content: string, more: object = {}) => event({ choices: [{ index: 0, delta: { content } }], ...more });
const ends = (index = 0) => event({ choices: [{ index, delta: {}, finish_reason: 'stop' }] });
const reports = (usage: unknown) => event({ choices: [], usage });
const DONE = Buffer.from('data: [DONE]\n\n');

/** A stream that begins well. */
function stream(sink: AnswerSink, ...events: readonly Buffer[]): void {
  sink.head(200, (name) => (name === 'content-type' ? 'text/event-stream' : undefined));
  for (const bytes of events) sink.data(bytes);
}

function whole(sink: AnswerSink, text: string): void {
  sink.head(200, () => 'application/json');
  sink.data(Buffer.from(text));
  sink.end();
}

const answers: Act = (sink) =>
  stream(sink, says('fine'), ends(), reports({ prompt_tokens: 1, completion_tokens: 1 }), DONE);

describe('what a vendor says it used', () => {
  it.each([
    ['more than can be', { prompt_tokens: Number.MAX_SAFE_INTEGER, completion_tokens: Number.MAX_SAFE_INTEGER }],
    ['a count as text', { prompt_tokens: 10, completion_tokens: '500' }],
    ['less than nothing', { prompt_tokens: 10, completion_tokens: -5 }],
    ['half a token', { prompt_tokens: 10, completion_tokens: 0.5 }],
    ['a list', [1, 2]],
  ])('is not believed when it is %s: it is estimated, and the client does not see it', (_, usage) => {
    const { settlements, facts, text } = call((sink) => stream(sink, says('one'), ends(), reports(usage), DONE));
    expect(facts?.outcome).toBe(OUTCOME_OK);
    expect(settlements).toMatchObject([{ source: USAGE_SOURCE_ESTIMATED, usage: { input: 28n, output: 2n } }]);
    expect(text).not.toContain('usage');
  });

  it.each(['999999999', '0.000000000001'])('comes to a receipt that every reader takes, at %s USD a million', (usd) => {
    const dear = compilePrice({ inputPerMillion: usd, outputPerMillion: usd, currency: 'USD' });
    const usage = { prompt_tokens: 100_000_000, completion_tokens: 100_000_000 };
    const { settlements } = call((sink) => stream(sink, says('one'), ends(), reports(usage), DONE), {}, dear);
    const [settlement] = settlements;
    expect(aiV1.Settlement.decode(aiV1.Settlement.encode(settlement!).finish())).toEqual(settlement);
    expect(readSettlement(writeSettlement(settlement!))).toEqual(settlement);
  });

  it('is billed once when it is said twice, by what was said last', () => {
    const { settlements } = call((sink) =>
      stream(
        sink,
        says('one', { usage: { prompt_tokens: 5, completion_tokens: 1 } }),
        reports({ prompt_tokens: 5, completion_tokens: 2 }),
        ends(),
        reports({ prompt_tokens: 5, completion_tokens: 3 }),
        DONE,
      ),
    );
    expect(settlements).toMatchObject([{ source: USAGE_SOURCE_REPORTED, usage: { input: 5n, output: 3n } }]);
  });

  it('covers what came before it: what comes after is estimated, so that nobody reads for nothing by leaving', () => {
    const early = { prompt_tokens: 5, completion_tokens: 0, total_tokens: 5 };
    const { settlements } = call((sink, leave) => {
      stream(sink, says('one', { usage: early }));
      for (let count = 0; count < 100; count++) sink.data(says(' more'));
      leave();
    });
    expect(settlements).toMatchObject([
      { outcome: OUTCOME_CLIENT_ABORTED, source: USAGE_SOURCE_ESTIMATED, usage: { input: 5n, output: 100n } },
    ]);
  });
});

describe('what is estimated', () => {
  const leaves = (...events: readonly Buffer[]) =>
    call((sink, leave) => {
      stream(sink, ...events);
      leave();
    }).settlements[0]!.usage!.output;

  it('counts neither comments nor blank lines nor events without data', () => {
    const noise = Buffer.from(': ping\n\n\n\r\nevent: ping\n\nid: 7\n\n'.repeat(100));
    expect(leaves(says('one'), noise, says(' two'))).toBe(2n);
  });

  it('weighs what comes in lumps by its bytes', () => {
    const lump = 'word '.repeat(800);
    expect(leaves(says(lump), says(lump), says('.'))).toBe(2_001n);
    const calls = event({ choices: [{ delta: { tool_calls: [{ function: { arguments: lump } }] } }] });
    expect(leaves(calls, calls)).toBe(2_000n);
  });

  it('weighs the text and not what stands around it, which a client may ask for by the kilobyte', () => {
    const odds = (bytes: number) => ({ logprobs: { content: [{ token: 'x'.repeat(bytes) }] } });
    const choice = (content: string, bytes: number) => event({ choices: [{ delta: { content }, ...odds(bytes) }] });
    expect(leaves(choice('a', 10), choice(' b', 2_000), choice(' c', 900), choice('.', 10))).toBe(4n);
  });

  it('does not bill an image by the bytes it was sent in', () => {
    const url = `data:image/png;base64,${'iVBORw0K'.repeat(500_000)}`;
    const messages = [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }];
    const { settlements } = call(
      (sink, leave) => {
        stream(sink, says('A cat.'));
        leave();
      },
      { messages },
    );
    expect(formatUsd(settlements[0]!.costPicoUsd)).toBe('0.00262');
  });
});

describe('how a vendor ends a stream', () => {
  it.each([
    ['an id before it', 'id: 5\ndata: [DONE]\n\n'],
    ['its event named', 'event: done\r\ndata: [DONE]\r\n\r\n'],
    ['a comment before it', ': bye\ndata:[DONE]\n\n'],
  ])('with %s: the end is known, and said once', (_, marker) => {
    const { text, facts } = call((sink) => stream(sink, says('one'), Buffer.from(marker)));
    expect(facts?.outcome).toBe(OUTCOME_OK);
    expect(text.match(/\[DONE\]/g)).toHaveLength(1);
  });

  it.each(['', '\n', '\r\n'])('with its last event not closed but by %j: nothing of it is lost', (lineEnd) => {
    const last = event({ choices: [{ index: 0, delta: { content: ' last' }, finish_reason: 'stop' }] });
    const { text, facts } = call((sink) => {
      stream(sink, says('one'), Buffer.concat([last.subarray(0, -2), Buffer.from(lineEnd)]));
      sink.end();
    });
    expect(facts?.outcome).toBe(OUTCOME_OK);
    expect(text).toContain(' last');
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  it('with one of two answers unfinished: that is broken off, and not an end', () => {
    const both = [says('one'), event({ choices: [{ index: 1, delta: { content: 'eins' } }] }), ends(0)];
    const cut = call(
      (sink) => {
        stream(sink, ...both);
        sink.end();
      },
      { n: 2 },
    );
    expect(cut.facts?.outcome).toBe(OUTCOME_UPSTREAM_ERROR);
    expect(cut.text).not.toContain('[DONE]');
    const complete = call(
      (sink) => {
        stream(sink, ...both, ends(1));
        sink.end();
      },
      { n: 2 },
    );
    expect(complete.facts?.outcome).toBe(OUTCOME_OK);
  });

  it('after a byte order mark: what follows it is read', () => {
    const { text, facts } = call((sink) => stream(sink, Buffer.from('\ufeff'), says('all there is'), DONE));
    expect(facts?.outcome).toBe(OUTCOME_OK);
    expect(text).toBe(`${says('all there is').toString()}data: [DONE]\n\n`);
  });
});

describe('an answer in one piece', () => {
  const plain = { stream: false };

  it('may begin with a byte order mark', () => {
    const text = '\ufeff{"choices":[{"index":0}],"usage":{"prompt_tokens":1,"completion_tokens":2}}';
    const answer = call((sink) => whole(sink, text), plain);
    expect(answer).toMatchObject({ status: 200, text });
    expect(answer.settlements).toMatchObject([{ source: USAGE_SOURCE_REPORTED }]);
  });

  it('without a choice is none: the next target answers', () => {
    const good = '{"choices":[{"index":0}]}';
    const acts: Act[] = [(sink) => whole(sink, '{"choices":[ ]}'), (sink) => whole(sink, good)];
    expect(call(acts, plain)).toMatchObject({ status: 200, text: good });
  });
});

describe('a refusal of a vendor', () => {
  it('whose body does not end is waited for two seconds, and then judged by its status', () => {
    const busy: Act = (sink, _, time) => {
      sink.head(503, () => undefined);
      for (let second = 0; second < 2; second++) {
        sink.data(Buffer.from(' '));
        time.pass(1_000);
      }
    };
    const { text, settlements } = call([busy, answers]);
    expect(text).toContain('fine');
    expect(settlements).toMatchObject([{ status: 503, source: USAGE_SOURCE_NONE }, { outcome: OUTCOME_OK }]);
  });

  it('whose body breaks off is judged by its status', () => {
    const refuses: Act = (sink) => {
      sink.head(400, () => undefined);
      sink.fail(refuse('UPSTREAM_BROKE'));
    };
    expect(call([refuses, answers])).toMatchObject({ status: 400, settlements: [{ outcome: OUTCOME_REFUSED }] });
  });

  it('to work for an account that is empty is no fault of the caller', () => {
    const refuses: Act = (sink) => {
      sink.head(402, () => undefined);
      sink.end();
    };
    expect(call([refuses, answers]).text).toContain('fine');
    expect(call(refuses)).toMatchObject({ status: 502, facts: { refusal: { code: 'UPSTREAM_BROKE' } } });
  });
});

describe('a target whose key has run out', () => {
  const busy: Act = (sink) => {
    sink.head(503, () => undefined);
    sink.end();
  };

  it('is no attempt', () => {
    const { fields, facts } = call([KEYLESS, answers]);
    expect(fields).toMatchObject({ 'x-sallyport-attempts': '1', 'x-sallyport-provider': 'vendor-2' });
    expect(facts).toMatchObject({ attempts: 1, provider: 'vendor-2' });
  });

  it('is what is told of only where no other was called', () => {
    expect(call([busy, KEYLESS])).toMatchObject({
      status: 503,
      fields: { 'x-sallyport-attempts': '1' },
      facts: { outcome: OUTCOME_UPSTREAM_ERROR, provider: 'vendor-1', refusal: { code: 'UPSTREAM_BUSY' } },
    });
    expect(call([KEYLESS, busy]).facts?.refusal?.code).toBe('UPSTREAM_BUSY');
    expect(call([KEYLESS])).toMatchObject({ facts: { attempts: 0, refusal: { code: 'AI_CREDENTIAL_MISSING' } } });
  });
});

describe('whatever a vendor sends', () => {
  const piece = fc.constantFrom(
    ...[says('text'), says('text', { usage: { prompt_tokens: 3, completion_tokens: 1 } }), ends(), DONE].map(String),
    ...[reports({ prompt_tokens: 3, completion_tokens: 2 }), reports({ prompt_tokens: '3' }), reports(null)].map(
      String,
    ),
    event({ error: { message: 'x' } }).toString(),
    ...[
      '\ufeff',
      ': note\n\n',
      '\n',
      '\r',
      '\r\n\r\n',
      'data: {"cho',
      'data: é🎉\n\n',
      'data: null\n\n',
      'data: [1]\n\n',
      'id: 1\n',
    ],
  );

  function answered(bytes: Buffer, borders: readonly number[], choices: number) {
    return call(
      (sink) => {
        sink.head(200, () => 'text/event-stream');
        borders.slice(1).forEach((border, at) => sink.data(bytes.subarray(borders[at], border)));
        sink.end();
      },
      { n: choices },
    );
  }

  it('is settled once and ends in one way, the same however it is cut', () => {
    const cuts = fc.array(fc.nat(), { maxLength: 12 });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), cuts, fc.constantFrom(1, 2), (pieces, cut, choices) => {
        const bytes = Buffer.from(pieces.join(''));
        const whole = answered(bytes, [0, bytes.length], choices);
        const borders = [0, ...cut.map((at) => at % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
        const parts = answered(bytes, borders, choices);
        expect([parts.text, parts.status]).toEqual([whole.text, whole.status]);
        expect(parts.settlements).toMatchObject(
          whole.settlements.map(({ outcome, usage, source, costPicoUsd }) => ({ outcome, usage, source, costPicoUsd })),
        );

        expect(whole.settlements).toHaveLength(1);
        expect(readSettlement(writeSettlement(whole.settlements[0]!))).toEqual(whole.settlements[0]);
        const ok = whole.facts?.outcome === OUTCOME_OK;
        const lastWord = ok ? /data: \[DONE\]\s*$/ : /(^|data: )\{"error":\{[^\r\n]*"code":"upstream_broke"\}\}\n*$/;
        expect(whole.text).toMatch(lastWord);
        expect(whole.status).toBe(whole.text.startsWith('{"error":') ? 502 : 200);
      }),
      { numRuns: 2_000 },
    );
  });
});
