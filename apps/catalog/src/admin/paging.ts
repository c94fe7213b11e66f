import { refuse, RefusalError } from '@sallyport/contracts';
import { createZodDto } from '@sallyport/platform';
import { z } from 'zod';
import type { Listed } from '../reading';
import type { Page } from '../store/row';

/** `?limit=` and `?cursor=` of every list. */
export class PageQuery extends createZodDto(
  z.strictObject({
    limit: z.coerce.number().int().min(1).max(200).default(50).describe('Items at most.'),
    cursor: z.string().max(512).optional().describe('`next` of the page before.'),
  }),
) {}

export interface PageAnswer<Item> {
  readonly items: readonly Item[];
  /** Cursor of the next page; null: this is the last. */
  readonly next: string | null;
}

/**
 * Answers one page of a list.
 *
 * @param list name of the list: a cursor of one list is refused by another
 */
export async function paged<Item>(
  list: string,
  { limit, cursor }: PageQuery,
  read: (page: Page) => Promise<Listed<Item>>,
): Promise<PageAnswer<Item>> {
  const { items, last } = await read({ limit, after: cursor === undefined ? undefined : openCursor(list, cursor) });
  return { items, next: last === undefined ? null : sealCursor(list, last) };
}

/** Opaque to callers. It holds no more than the caller has seen, and is read as a parameter: it needs no signature. */
function sealCursor(list: string, last: string): string {
  return Buffer.from(JSON.stringify([list, last])).toString('base64url');
}

const cursorContent = z.tuple([z.string(), z.string().regex(/^[\x21-\x7e]{1,128}$/)]);

function openCursor(list: string, cursor: string): string {
  const content = cursorContent.safeParse(jsonOf(Buffer.from(cursor, 'base64url').toString('utf8')));
  if (!content.success || content.data[0] !== list) {
    throw new RefusalError(refuse('REQUEST_MALFORMED', { reason: 'the cursor is not one of this list' }));
  }
  return content.data[1];
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
