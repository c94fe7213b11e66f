import type { Bytes } from './bytes';
import { detectSqli } from './injection/detect-sqli';
import { detectXss } from './injection/detect-xss';
import { transformations } from './transformations/registry';

/** Of each kind, in bytes: enough for V8 to compile what reads them, and read within milliseconds before it has. */
const LENGTH = 8 * 1024;

/** What makes one reader or another work on every byte. */
const units: readonly Bytes[] = [
  '\'"',
  '/../a/./b//\\..\\',
  '%2525u0041+\\x41\\u0041\\101&#x3c;&lt;',
  'PHNjcmlwdD4=',
  '/**/--# <!-- -->',
  '<a b="c" onload=d href=javascript:e>',
  "1' or (select a from b where c = 1) union --",
  '\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\0\xff',
];

/**
 * Lets everything that reads a whole value in one step read long ones. Until V8 has compiled them, such a step takes 128 KiB
 * in 40 to 60 ms, three times as long as after, and holds the event loop meanwhile.
 * @yields after each value of each reader
 */
export function* practice(): Generator<void, void, void> {
  const detectors = [detectSqli, detectXss];
  for (const unit of units) {
    const value = unit.repeat(Math.ceil(LENGTH / unit.length)).slice(0, LENGTH);
    for (const transformation of transformations) {
      transformation.apply(value);
      yield;
    }
    for (const detect of detectors) {
      detect(value);
      yield;
    }
  }
}
