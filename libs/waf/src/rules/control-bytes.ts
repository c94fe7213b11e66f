import { refuse } from '@sallyport/contracts';
import { unescapePercent } from '../body/arguments';
import type { HeadRule } from '../rule';

/** Tab and line ends stand in honest text. */
const CONTROL = /[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]/;

export const nulByte: HeadRule = {
  id: 7703001,
  severity: 'critical',
  message: 'NUL byte in path or argument',
  explanation:
    'Code written in C ends a text at a NUL and judges another value than it uses. No text an API takes holds one.',
  inspect: ({ head, queryArguments, isPlainQuery }) => {
    if (unescapePercent(head.path).includes('\0'))
      return { variable: 'REQUEST_PATH', data: '\0', refusal: refuse('WAF_BLOCKED') };
    if (isPlainQuery) return undefined;
    const found = queryArguments.find(({ name, value }) => value.includes('\0') || name.includes('\0'));
    return found && { variable: `ARGS:${found.name}`, data: '\0', refusal: refuse('WAF_BLOCKED') };
  },
};

export const controlByte: HeadRule = {
  id: 7703002,
  severity: 'error',
  message: 'Control character in argument',
  explanation: 'Control characters other than tab and line ends drive terminals and parsers, not APIs.',
  inspect: ({ queryArguments, isPlainQuery }) => {
    if (isPlainQuery) return undefined;
    for (const { name, value } of queryArguments) {
      const match = CONTROL.exec(value) ?? CONTROL.exec(name);
      if (match) return { variable: `ARGS:${name}`, data: match[0], refusal: refuse('WAF_BLOCKED') };
    }
    return undefined;
  },
};
