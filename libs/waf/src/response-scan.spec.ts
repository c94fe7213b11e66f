import { processorTime } from '@sallyport/testkit';
import * as fc from 'fast-check';
import { drain } from './budget';
import type { Bytes } from './bytes';
import type { Program } from './program';
import { rulesOf } from './rules-under-test.suite';
import type { Transaction } from './transaction';

const SCORING = `
SecRule RESPONSE_BODY "@rx ORA-[0-9]{5}" "id:1,phase:4,pass,log,capture,msg:'%{TX.0}',setvar:tx.score=+3"
SecRule RESPONSE_BODY "@pm syntax-error stack-trace" "id:2,phase:4,pass,log,setvar:tx.score=+3"
SecRule RESPONSE_STATUS "!@rx ^404$" "id:3,phase:4,pass,log,chain"
  SecRule RESPONSE_BODY "@rx (?i)at line \\d+$" "t:none"
SecRule RESPONSE_BODY "@rx rootx0x0" "id:4,phase:4,pass,log,t:none,t:removeWhitespace,t:lowercase"
SecRule TX:score "@ge 5" "id:9,phase:4,deny,status:502,log"
`;

const PLENTY = { slice: 4, base: 10_000, perKib: 0, most: 10_000 };

const scoring = rulesOf(SCORING).adjusted();

function begin(rules: Bytes | Program, mode: 'detect' | 'block' = 'block', responseBytes?: number): Transaction {
  const program = typeof rules === 'string' ? rulesOf(rules).adjusted() : rules;
  const transaction = program.begin({
    mode,
    requestId: 'a1',
    budget: PLENTY,
    now: () => performance.now(),
    ...(responseBytes && { responseBytes }),
  });
  drain(transaction.requestHead({ method: 'GET', target: '/', protocol: 'HTTP/1.1', clientAddress: '', fields: [] }));
  drain(transaction.requestBody({ raw: '' }));
  drain(transaction.responseHead({ status: 200, fields: [{ name: 'content-type', value: 'text/html' }] }));
  return transaction;
}

function read(transaction: Transaction, ...pieces: readonly Bytes[]): Transaction {
  for (const piece of pieces) {
    transaction.responseChunk(piece);
    drain(transaction.readResponse());
  }
  return transaction;
}

function hitsAfter(transaction: Transaction): number[] {
  drain(transaction.responseEnd());
  drain(transaction.finish());
  return transaction.takeHits().map(({ rule }) => rule);
}

describe('the body of an answer', () => {
  const fragment = fc.constantFrom(
    ...[
      'ORA-',
      '12345',
      '123',
      'Syntax-',
      'error',
      'stack-trace',
      'At line 7',
      '\n',
      ' ',
      'root',
      'x 0\tX0',
      'plain text ',
    ],
    'long '.repeat(1200),
  );
  const body = fc.array(fragment, { maxLength: 12 }).map((fragments) => fragments.join(''));
  const cuts = fc.array(fc.nat(400), { maxLength: 10 });

  it('gives the same hits in pieces as in one, however it is cut', () => {
    fc.assert(
      fc.property(body, cuts, (text, at) => {
        const places = [
          0,
          ...at.map((cut) => Math.min(cut, text.length)).sort((one, other) => one - other),
          text.length,
        ];
        const pieces = places.slice(1).map((place, index) => text.slice(places[index], place));
        expect(hitsAfter(read(begin(scoring, 'detect'), ...pieces))).toEqual(
          hitsAfter(read(begin(scoring, 'detect'), text)),
        );
      }),
    );
  });

  it('gives the same hits as where all of it is kept', () => {
    const keeping = rulesOf(`${SCORING}SecRule RESPONSE_BODY_LENGTH "@lt 0" "id:10,phase:4,pass,log"\n`).adjusted();
    fc.assert(
      fc.property(body, (text) => {
        expect(hitsAfter(read(begin(scoring, 'detect'), text))).toEqual(
          hitsAfter(read(begin(keeping, 'detect'), text)),
        );
      }),
    );
  });

  it('is refused as soon as what is there of it is enough', () => {
    const transaction = read(begin(scoring), 'ORA-12345 ');
    expect(transaction.interruption).toBeUndefined();
    read(transaction, 'and a stack-tra', 'ce');
    expect(transaction.interruption).toEqual({ rule: 9, phase: 4, status: 502 });
    expect(hitsAfter(transaction)).toEqual([1, 2, 9]);
  });

  it('counts each rule once, whenever it was found', () => {
    const transaction = read(begin(scoring), 'ORA-12345', ' ORA-54321', ' At line 7\n', 'end');
    expect(hitsAfter(transaction)).toEqual([1, 3]);
    expect(transaction.txVariable('score')).toBe('3');
    expect(transaction.interruption).toBeUndefined();
  });

  it('is not refused where rules only watch', () => {
    const transaction = read(begin(scoring, 'detect'), 'ORA-12345 stack-trace');
    expect(hitsAfter(transaction)).toEqual([1, 2, 9]);
    expect(transaction.interruption).toBeUndefined();
  });

  it('fills groups from around the place where a pattern was found', () => {
    const transaction = read(begin(scoring, 'detect'), 'x'.repeat(10_000), 'ORA-1', '2345', 'y'.repeat(10_000));
    drain(transaction.responseEnd());
    expect(transaction.takeHits()).toMatchObject([{ rule: 1, message: 'ORA-12345', variable: 'RESPONSE_BODY' }]);
  });

  it('is looked at up to its limit', () => {
    const transaction = begin(scoring, 'detect', 20);
    expect(transaction.responseChunk('x'.repeat(15))).toBe(true);
    expect(transaction.responseChunk('ORA-12345')).toBe(false);
    expect(hitsAfter(transaction)).toEqual([]);
  });

  it.each([
    ['is negated', 'SecRule RESPONSE_BODY "!@rx good" "id:1,phase:4,pass,log"', [1], []],
    ['counts its bytes', 'SecRule RESPONSE_BODY_LENGTH "@lt 8" "id:1,phase:4,pass,log"', [1], []],
    ['asks for its text', 'SecRule ARGS "@within %{RESPONSE_BODY}" "id:1,phase:4,pass,log"', [], []],
    ['decodes it', 'SecRule RESPONSE_BODY "@rx very good" "id:1,phase:4,pass,log,t:urlDecode"', [], [1]],
    ['looks around', 'SecRule RESPONSE_BODY "@rx good(?! morning)" "id:1,phase:4,pass,log"', [], [1]],
    ['reads it afterwards', 'SecRule RESPONSE_BODY "@rx ^very good$" "id:1,phase:5,pass,log"', [], []],
  ])('is kept where a rule %s', (_, rule, ofBad, ofGood) => {
    expect(hitsAfter(read(begin(rule), 'b', 'ad'))).toEqual(ofBad);
    expect(hitsAfter(read(begin(rule), 'very%20', 'good'))).toEqual(ofGood);
  });

  it('is looked at in steps, and no step takes long', () => {
    const transaction = begin(scoring, 'detect');
    transaction.responseChunk('long text without anything in it '.repeat(8000));
    let steps = 0;
    let longest = 0;
    for (const work = transaction.readResponse(); ; steps++) {
      const spent = processorTime();
      if (work.next().done) break;
      longest = Math.max(longest, spent());
    }
    expect(longest).toBeLessThan(50);
    expect(hitsAfter(transaction)).toEqual([]);
  });
});

describe('what a model answers', () => {
  const asked = 'SecAction "id:100,phase:1,pass,nolog,setvar:tx.inspect_prompts=1"\n';
  const rules = `SecRule LLM_COMPLETION "@rx (?i)the password is \\w+" "id:5,phase:4,deny,log,t:none,msg:'%{MATCHED_VAR}'"\n`;
  const piece = (content: string) => `data: {"choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`;
  const stream = [piece('The pass'), piece('word is'), piece(' hunter2.'), 'data: [DONE]\n\n'];

  it('is seen in one piece where it comes in many, when all of it is there', () => {
    expect(hitsAfter(read(begin(asked + rules), ...stream))).toEqual([5]);
    expect(hitsAfter(read(begin(asked + rules), piece('The word is secret.')))).toEqual([]);
  });

  it('is seen by no rule where the route leads to no model', () =>
    expect(hitsAfter(read(begin(rules), ...stream))).toEqual([]));

  it('takes nothing from rules over the body: they are tried as it goes by', () => {
    const transaction = read(begin(asked + rules + SCORING), 'ORA-12345 ', 'syntax-error');
    expect(transaction.interruption).toMatchObject({ rule: 9 });
    const whole = read(begin(asked + rules + SCORING, 'detect'), 'data: "ORA-12345"\n\n', ...stream);
    expect(hitsAfter(whole)).toEqual([5, 1]);
  });

  it('is looked at within the bound of the body', () =>
    expect(hitsAfter(read(begin(asked + rules, 'block', 80), ...stream))).toEqual([]));
});
