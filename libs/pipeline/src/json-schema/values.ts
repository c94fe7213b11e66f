import { isMultipleOf, isWhole, readDecimal, type Decimal } from '../json/decimal';
import { ExactNumber } from '../json/strict-json';

/** The seven types a schema can name. */
export type TypeName = 'null' | 'boolean' | 'object' | 'array' | 'number' | 'string' | 'integer';
export const typeNames: readonly TypeName[] = ['null', 'boolean', 'object', 'array', 'number', 'string', 'integer'];

export type Members = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);
}

/**
 * A whole number is an integer however it is written (JSON Schema Validation §6.1.1). What is beyond the range of a double
 * is of no type: who reads it next takes it for infinity.
 */
export function isOfType(value: unknown, type: TypeName): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    case 'integer':
      return value instanceof ExactNumber ? isInRange(value) && isWhole(value.decimal) : Number.isInteger(value);
    case 'number':
      return value instanceof ExactNumber ? isInRange(value) : typeof value === 'number';
    default:
      return typeof value === type;
  }
}

function isInRange({ text }: ExactNumber): boolean {
  return Number.isFinite(Number(text));
}

/**
 * A text that is the same for two values if, and only if, JSON Schema calls them equal.
 * @param visit called for every value within
 */
export function keyOf(value: unknown, visit: () => void): string {
  visit();
  if (Array.isArray(value)) return `[${value.map((item) => keyOf(item, visit)).join(',')}]`;
  if (value instanceof ExactNumber) return keyOfDecimal(value.decimal);
  if (!isObject(value)) return typeof value === 'number' && value === 0 ? '0' : (JSON.stringify(value) ?? 'null');
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${keyOf(value[name], visit)}`).join(',')}}`;
}

/** No double has this key: what one keeps in full is read as one. */
function keyOfDecimal({ negative, digits, exponent }: Decimal): string {
  return `${negative ? '-' : ''}${digits}e${exponent}`;
}

/** Characters, not UTF-16 units (JSON Schema Validation §6.3.1). */
export function lengthOf(text: string): number {
  let surrogates = 0;
  for (let at = 0; at < text.length - 1; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0xd800 || unit > 0xdbff) continue;
    const next = text.charCodeAt(at + 1);
    if (next >= 0xdc00 && next <= 0xdfff) {
      surrogates += 1;
      at += 1;
    }
  }
  return text.length - surrogates;
}

/**
 * Makes the question whether a value is a whole multiple of a step, in decimals: 0.3 is a multiple of 0.1.
 * @param step above 0
 */
export function multiplesOf(step: number): (value: number | ExactNumber) => boolean {
  const exactStep = readDecimal(String(step));
  const scale = 10 ** -exactStep.exponent;
  const scaledStep = Number(exactStep.digits);
  const isPlain = exactStep.exponent <= 0 && exactStep.exponent >= -15 && Number.isSafeInteger(scaledStep);
  return (value) => {
    if (value instanceof ExactNumber) return isMultipleOf(value.decimal, exactStep);
    if (!Number.isFinite(value)) return false;
    const scaled = Math.round(value * scale);
    if (!isPlain || !Number.isSafeInteger(scaled)) return isMultipleOf(readDecimal(String(value)), exactStep);
    // A decimal with so few digits is the double nearest to it, so whatever does not come back has more digits.
    return scaled / scale === value && scaled % scaledStep === 0;
  };
}
