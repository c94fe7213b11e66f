import { refuse } from '@sallyport/contracts';
import type { JsonFault } from '../body/json-scanner';
import type { MultipartFault } from '../body/multipart-scanner';
import type { ProfileLimits } from '../profile';
import type { Finding, RuleCard } from '../rule';

export const brokenJson: RuleCard = {
  id: 7700001,
  severity: 'error',
  message: 'Body is not the JSON it claims to be',
  explanation:
    'Origins repair broken JSON in different ways and see other members than an inspector did (RFC 8259, UTF-8 only, nothing after the document).',
};

export const deepJson: RuleCard = {
  id: 7700002,
  severity: 'critical',
  message: 'JSON nested deeper than the limit',
  explanation: 'Deep nesting exhausts the stack of parsers and of everything that walks the parsed document.',
};

export const manyKeys: RuleCard = {
  id: 7700003,
  severity: 'error',
  message: 'JSON with more members than the limit',
  explanation: 'Members cost memory and time by the thousand; colliding names cost quadratic time in some origins.',
};

export const longString: RuleCard = {
  id: 7700004,
  severity: 'error',
  message: 'JSON string longer than the limit',
  explanation:
    'A string beyond the limit is a file; files have better ways to travel. The profile llm allows long content.',
};

export const manyFormArguments: RuleCard = {
  id: 7700005,
  severity: 'error',
  message: 'Form with more arguments than the limit',
  explanation: 'Thousands of arguments are made to exhaust a parser or to hide one argument from an inspector.',
};

export const prototypeName: RuleCard = {
  id: 7700006,
  severity: 'critical',
  message: 'JSON member named __proto__',
  explanation: 'Programs that copy such a member change what every one of their objects inherits.',
};

export const duplicateName: RuleCard = {
  id: 7700007,
  severity: 'error',
  message: 'JSON object with two members of one name',
  explanation:
    'One reader takes the first, another the last: what was judged is not what is done. Seen in the profile llm.',
};

export const brokenMultipart: RuleCard = {
  id: 7700008,
  severity: 'error',
  message: 'Form of several parts that is broken, or larger than its limits',
  explanation:
    'Without one well-formed boundary, an end, and heads of some bytes, a form is cut into other parts by every reader.',
};

export const beyondInspection: RuleCard = {
  id: 7700009,
  severity: 'error',
  message: 'Body longer than what is inspected',
  explanation:
    'What lies beyond the inspected part could hold anything. A route that takes longer bodies raises the limit, or says that the first part is enough.',
};

const jsonRules = {
  syntax: brokenJson,
  depth: deepJson,
  keys: manyKeys,
  string: longString,
  name: prototypeName,
  duplicate: duplicateName,
} as const;

/** What is wrong with a JSON body, as a rule and a finding. */
export function judgeJson({ kind, at }: JsonFault, { json }: ProfileLimits): [RuleCard, Finding] {
  const reasons = {
    syntax: `it is not valid JSON from byte ${at} on`,
    depth: `it is nested deeper than ${json.depth} levels`,
    keys: `it has more than ${json.keys} members`,
    string: `it holds a string of more than ${json.stringBytes} bytes`,
    name: 'it has a member named __proto__',
    duplicate: `it has two members of one name at byte ${at}`,
  };
  const refusal = refuse('WAF_MALFORMED', { reason: reasons[kind] });
  return [jsonRules[kind], { variable: 'REQUEST_BODY', data: `byte ${at}`, refusal }];
}

export function judgeForm(count: number, { formArguments }: ProfileLimits): [RuleCard, Finding] {
  const refusal = refuse('WAF_MALFORMED', { reason: `it has more than ${formArguments} arguments` });
  return [manyFormArguments, { variable: 'ARGS_POST', data: `${count} arguments`, refusal }];
}

export function judgeMultipart(fault: MultipartFault, { multipart }: ProfileLimits): [RuleCard, Finding] {
  const reasons = {
    syntax: 'it is no form of several parts',
    parts: `it has more than ${multipart.parts} parts`,
    header: `the head of a part is longer than ${multipart.headerBytes} bytes`,
    fileName: `the name of a file is longer than ${multipart.fileNameBytes} bytes`,
  };
  const refusal = refuse('WAF_MALFORMED', { reason: reasons[fault] });
  return [brokenMultipart, { variable: 'REQUEST_BODY', data: fault, refusal }];
}

export function judgeLength(maxBytes: number): [RuleCard, Finding] {
  const refusal = refuse('BODY_TOO_LARGE', { maxBytes });
  return [beyondInspection, { variable: 'REQUEST_BODY_LENGTH', data: `more than ${maxBytes} bytes`, refusal }];
}
