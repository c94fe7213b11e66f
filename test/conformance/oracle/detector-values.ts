import { wordsByKind } from '../../../libs/waf/src/injection/sqli/words.data';
import type { Choices } from './random';

const words = Object.values(wordsByKind).flatMap((some) => some.trim().split(/[,\n]+/));

const sql = [
  ...['1', '0x1F', '0b1', '1.5e3', '1e', '1.', '.5', '1f', '2d', 'x', 'name', 'a_b', 'utf8_bin', 'sp_password'],
  ...'\' " ` ( ) , ; -- # /* */ /*! = < > && || | & @ @@ $ $$ $a$ . : :: := ? [ ] { } \\ \\N ! ~ + - * % ^'.split(' '),
  ...["n'a'", "q'[a]'", "nq'(b)'", "u&'x'", "x'1f'", "b'01'", "e'a'", ' ', ' ', ' ', '\n', '\t', '\0', '\xa0', '\x7f'],
  ...['IF', 'IN', 'LIKE', 'NOT', 'USER', 'ALL', 'BY', 'GROUP', 'ORDER', 'INTO', 'NULL', 'SELECT', 'UNION', 'AND', 'OR'],
];

const html = [
  ...'< > </ /> = " \' ` / ! <!-- --> --!> -- <![CDATA[ ]]> <!DOCTYPE <? <% %> ?> ; : - [if xml import entity x 1'.split(
    ' ',
  ),
  ...'<script script <a <b <svg <x <xss href= src= onerror= onload style= xmlns xlink:href= onfoo= on'.split(' '),
  ...'javascript: JaVa data: vbscript: view-source: &#x6a; &#106 &# &#x attributename from to= values action'.split(
    ' ',
  ),
  ...'formaction= by folder handler= filter datasrc background'.split(' '),
  ...[' ', '\t', '\n', '\0', '\xff', '\x80', '\x0b', '\x0c', '\r'],
];

/** Strings of tokens at random, and pieces of attacks with something added, removed or put together. */
export function detectorValue(choices: Choices, detector: 'sqli' | 'xss', pieces: readonly string[]): string {
  return choices.happens(0.45) || pieces.length === 0
    ? randomTokens(choices, detector)
    : mutated(choices, detector, choices.of(pieces));
}

function randomTokens(choices: Choices, detector: 'sqli' | 'xss'): string {
  const start = detector === 'sqli' && choices.happens(0.3) ? choices.of(["'", '"', "1'", '1 ', '-1 ', "a' "]) : '';
  const between = () => (detector === 'sqli' && choices.happens(0.6) ? ' ' : '');
  return start + choices.times(1 + choices.below(9), () => token(choices, detector) + between()).join('');
}

function token(choices: Choices, detector: 'sqli' | 'xss'): string {
  if (choices.happens(0.1)) return String.fromCharCode(choices.below(256));
  if (detector === 'xss') return cased(choices, choices.of(html));
  return choices.happens(0.5) ? choices.of(sql) : cased(choices, choices.of(words));
}

function cased(choices: Choices, word: string): string {
  if (choices.happens(0.6)) return word;
  return choices.happens(0.7)
    ? word.toLowerCase()
    : word.replace(/./gs, (letter) => (choices.happens(0.5) ? letter.toLowerCase() : letter));
}

function mutated(choices: Choices, detector: 'sqli' | 'xss', piece: string): string {
  let value = piece;
  for (let changes = choices.below(4); changes > 0; changes--) {
    const at = choices.below(value.length + 1);
    const [before, behind] = [value.slice(0, at), value.slice(at)];
    switch (choices.below(4)) {
      case 0:
        value = before + token(choices, detector) + behind;
        break;
      case 1:
        value = before + behind.slice(1 + choices.below(3));
        break;
      case 2:
        value = before + choices.of(['', '', token(choices, detector)]) + behind.slice(0, 60) + behind;
        break;
      default:
        value = behind;
    }
  }
  return value;
}
