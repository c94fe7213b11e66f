/**
 * Processor time a detector may take for 128 KiB, in milliseconds: many times what it takes on an idle machine, and a
 * small part of what anything quadratic would take.
 */
export const mostMillis = 400;

const bytes = 128 * 1024;
const repeated = (text: string) => text.repeat(Math.ceil(bytes / text.length));

/** Values made to have a reader go back, look ahead or begin again. */
export const adversarialValues: readonly (readonly [name: string, value: string])[] = [
  ['single quotes', repeated("'")],
  ['escaped quotes', repeated("\\'")],
  ['backslashes before a quote', `'${repeated('\\')}'`],
  ['an attack again and again', repeated("1' or 1=1 union select a,b from c where (x) ")],
  ['parentheses', repeated('(')],
  ['dollar tags that never end', repeated('$a')],
  ['dollar quotes', repeated('$$')],
  ['comments', repeated('/**/')],
  ['comments that never end', repeated('/*')],
  ['number signs', repeated('#')],
  ['hyphens', repeated('-')],
  ['words that form phrases', repeated('select group by ')],
  ['quotes of Oracle that never end', repeated("q'[")],
  ['one word', repeated('x')],
  ['dots', repeated('a.')],
  ['numbers that are words', repeated('1e')],
  ['brackets that never end', repeated('[')],
  ['backticks', repeated('`')],
  ['tags', repeated('<a b=c>')],
  ['declarations', repeated('<!a>')],
  ['comments of HTML that never end', repeated('<!--')],
  ['a comment of hyphens', `<!--${repeated('-')}`],
  ['a comment of hyphens and NUL', `<!--${repeated('-\0')}`],
  ['attributes', repeated('a=b ')],
  ['an address of NUL', `href="${repeated('\0')}`],
  ['an address of references to NUL', `href=${repeated('&#0;')}`],
  ['an address of one endless reference', `href=&#${repeated('0')}`],
  ['character data that never ends', repeated('<![CDATA[')],
];
