import { refuse, type Refusal } from '@sallyport/contracts';
import type { ProfileLimits } from '../profile';
import type { HeadRule } from '../rule';

export const tooManyFields: HeadRule = {
  id: 7704001,
  severity: 'error',
  message: 'More header fields than the limit, or one longer than the limit',
  explanation:
    'The ingress refuses such heads itself; requests that reach the inspector on another way are held to the same.',
  inspect: ({ head, limits }) => {
    if (head.fields.length > limits.fields)
      return { variable: 'REQUEST_HEADERS', data: `${head.fields.length} fields`, refusal: tooLarge(limits) };
    for (const { name, value } of head.fields) {
      if (value.length <= limits.fieldBytes) continue;
      return { variable: `REQUEST_HEADERS:${name}`, data: `${value.length} bytes`, refusal: tooLarge(limits) };
    }
    return undefined;
  },
};

function tooLarge({ fields, fieldBytes }: ProfileLimits): Refusal {
  return refuse('HEADERS_TOO_LARGE', {
    reason: `more than ${fields} fields, or one longer than ${fieldBytes} bytes`,
  });
}

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
