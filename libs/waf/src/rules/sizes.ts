import { refuse } from '@sallyport/contracts';
import type { HeadRule } from '../rule';

export const tooManyFields: HeadRule = {
  id: 7704001,
  severity: 'error',
  message: 'More header fields than the limit, or one longer than the limit',
  explanation:
    'The ingress refuses such heads itself; requests that reach the inspector on another way are held to the same.',
  inspect: ({ head, limits }) => {
    const reason = `more than ${limits.fields} fields, or one longer than ${limits.fieldBytes} bytes`;
    const refusal = refuse('HEADERS_TOO_LARGE', { reason });
    if (head.fields.length > limits.fields)
      return { variable: 'REQUEST_HEADERS', data: `${head.fields.length} fields`, refusal };
    const long = head.fields.find(({ value }) => value.length > limits.fieldBytes);
    return long && { variable: `REQUEST_HEADERS:${long.name}`, data: `${long.value.length} bytes`, refusal };
  },
};

export const tooManyArguments: HeadRule = {
  id: 7704002,
  severity: 'error',
  message: 'More query arguments than the limit',
  explanation: 'Thousands of arguments are made to exhaust a parser or to hide one argument from an inspector.',
  inspect: ({ queryArguments, limits }) =>
    queryArguments.length > limits.queryArguments
      ? { variable: 'ARGS', data: `${queryArguments.length} arguments`, refusal: refuse('WAF_BLOCKED') }
      : undefined,
};

export const longArgumentName: HeadRule = {
  id: 7704003,
  severity: 'warning',
  message: 'Name of an argument longer than the limit',
  explanation: 'Names of arguments are written by programmers and short; a long one is data in the wrong place.',
  inspect: ({ queryArguments, limits }) => {
    const long = queryArguments.find(({ name }) => name.length > limits.argumentNameBytes);
    return long && { variable: 'ARGS_NAMES', data: `${long.name.length} bytes`, refusal: refuse('WAF_BLOCKED') };
  },
};
