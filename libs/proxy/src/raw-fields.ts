/** Header fields as they go over the wire: name, value, name, value, … in latin1, names in lower case. */
export type RawFields = readonly string[];

/** @returns the first value of a field, by its lower-case name. */
export function fieldValue(fields: RawFields, name: string): string | undefined {
  for (let at = 0; at < fields.length; at += 2) if (fields[at] === name) return fields[at + 1];
  return undefined;
}
