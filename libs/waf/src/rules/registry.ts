import type { HeadRule, RuleCard } from '../rule';
import {
  beyondInspection,
  brokenJson,
  brokenMultipart,
  deepJson,
  duplicateName,
  longString,
  manyFormArguments,
  manyKeys,
  prototypeName,
} from './bodies';
import { controlByte, nulByte } from './control-bytes';
import { compressedBody, foreignCharset, unreadableMediaType } from './media-types';
import { forbiddenMethod } from './methods';
import { longArgumentName, tooManyArguments, tooManyFields } from './sizes';
import { argumentTraversal, pathTraversal } from './traversal';

/** In the order they are asked; each judges the head alone. Cheap ones that bound the work of others come first. */
export const headRules: readonly HeadRule[] = [
  forbiddenMethod,
  tooManyFields,
  tooManyArguments,
  unreadableMediaType,
  foreignCharset,
  compressedBody,
  pathTraversal,
  nulByte,
  longArgumentName,
  argumentTraversal,
  controlByte,
];

/** Raised by the scanners of bodies. */
const bodyRules: readonly RuleCard[] = [
  brokenJson,
  deepJson,
  manyKeys,
  longString,
  manyFormArguments,
  prototypeName,
  duplicateName,
  brokenMultipart,
  beyondInspection,
];

/** Every rule of our own, by id. */
export const rules: readonly RuleCard[] = [...headRules, ...bodyRules].sort((one, other) => one.id - other.id);
