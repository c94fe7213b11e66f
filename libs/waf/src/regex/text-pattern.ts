import { foldText, type Bytes } from '../bytes';
import type { Captures, Pattern, RequiredLiterals } from './pattern';

/** A pattern that is a text; letter case counts. */
export class TextPattern implements Pattern {
  readonly required: RequiredLiterals;

  constructor(readonly text: Bytes) {
    this.required = text === '' ? [] : [[foldText(text)]];
  }

  test(value: Bytes): boolean {
    return value.includes(this.text);
  }

  exec(value: Bytes): Captures | undefined {
    return this.test(value) ? [this.text] : undefined;
  }
}
