import type { Bytes } from '../bytes';
import { splitArguments } from './arguments';
import { isJsonLines, mediaTypeOf } from './content-type';
import { jsonArguments, jsonLinesArguments } from './json';
import { readMultipart } from './multipart';
import type { BodyLimits, BodyProcessor, ParsedBody } from './parsed-body';
import { readXml } from './xml';

type Reader = (contentType: Bytes, body: Bytes, limits: BodyLimits) => ParsedBody;

const nothing = {
  arguments: [],
  files: [],
  partHeaders: [],
  xml: undefined,
  error: undefined,
  invalidEscapes: false,
  multipartFaults: [],
} as const;

const readers: Readonly<Record<BodyProcessor, Reader>> = {
  URLENCODED: (_, body, limits) => {
    const { arguments: found, invalidEscapes, tooMany } = splitArguments(body, limits.arguments);
    const error = tooMany ? `Form: more than ${limits.arguments} arguments` : undefined;
    return { ...nothing, processor: 'URLENCODED', arguments: found, invalidEscapes, error };
  },
  MULTIPART: (contentType, body, limits) => {
    const { arguments: found, files, partHeaders, error, faults } = readMultipart(contentType, body, limits);
    return { ...nothing, processor: 'MULTIPART', arguments: found, files, partHeaders, error, multipartFaults: faults };
  },
  JSON: (contentType, body, limits) => {
    const read = isJsonLines(mediaTypeOf(contentType)) ? jsonLinesArguments : jsonArguments;
    const { arguments: found, error } = read(body, limits);
    return { ...nothing, processor: 'JSON', arguments: found, error };
  },
  XML: (_, body, limits) => ({ ...nothing, processor: 'XML', ...readXml(body, limits) }),
};

/**
 * Reads a body for the rules. Never throws: what is wrong with it is said in the result, and what could be read stays.
 * @param processor `processorOf` its type, or the one a rule chose
 * @param contentType the field as received; empty where there is none
 * @param body the inspected part of it
 */
export function parseBody(processor: BodyProcessor, contentType: Bytes, body: Bytes, limits: BodyLimits): ParsedBody {
  return readers[processor](contentType, body, limits);
}
