import { parseDuration, refuse, RefusalError, uuidv7, type Clock, type RandomBytes } from '@sallyport/contracts';
import { mintApiKey, type Pepper } from '@sallyport/identity';
import { readAs, writeOutbox, type AdminActor } from '@sallyport/platform';
import { changeCommitted } from '@sallyport/trail';
import type { DataSource, EntityManager } from 'typeorm';
import { apiKeys, type KeyPage } from '../store/api-keys';
import { ACTIVE_NAME, SCHEMA } from '../store/auth-tables';
import { plainDecimal, viewOf, type ApiKey, type ApiKeyView } from './api-key';
import type { Cursors } from './cursor';
import { expiryOf, mintRequest, type MintRequest } from './mint-request';

/** The tenant of an installation that has no others. */
const TENANT = 'default';

export interface KeysPorts {
  readonly dataSource: DataSource;
  readonly pepper: Pepper;
  readonly cursors: Cursors;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Told of each committed change, before the caller is answered. */
  readonly committed: (key: ApiKey) => Promise<void>;
}

export interface MintedApiKey extends ApiKeyView {
  /** The key itself: shown in this answer and stored nowhere. */
  readonly key: string;
}

/** Mints, lists and revokes API keys. Each change is one transaction with the record of it. */
export class Keys {
  constructor(private readonly ports: KeysPorts) {}

  /**
   * @throws RefusalError SCHEMA_VIOLATION, or AUTH_KEY_CONFLICT when an active key has the name.
   */
  async mint(request: MintRequest, actor: AdminActor): Promise<MintedApiKey> {
    const { text, key, view } = this.draft(request, actor);
    await this.ports.dataSource.transaction((manager) => this.insert(manager, key, actor, view));
    await this.ports.committed(key);
    return { key: text, ...view };
  }

  /**
   * Does everything that minting does and takes it back.
   * @returns the key as it would be listed; the key itself is drawn anew when it is minted.
   * @throws RefusalError as `mint` does.
   */
  async tryMinting(request: MintRequest, actor: AdminActor): Promise<ApiKeyView> {
    const { key, view } = this.draft(request, actor);
    const runner = this.ports.dataSource.createQueryRunner();
    try {
      await runner.startTransaction();
      try {
        await this.insert(runner.manager, key, actor, view);
      } finally {
        await runner.rollbackTransaction();
      }
      return view;
    } finally {
      await runner.release();
    }
  }

  private draft(request: MintRequest, actor: AdminActor): { text: string; key: ApiKey; view: ApiKeyView } {
    const { pepper, clock, random } = this.ports;
    const wish = readAs(mintRequest, request);
    const now = clock.now();
    const expiry = expiryOf(wish, now);
    if ('problem' in expiry) throw violation(expiry.pointer, expiry.problem);
    const { text, kid, lastFour } = mintApiKey('live', random);
    const key: ApiKey = {
      id: uuidv7(now, random),
      kid,
      mac: pepper.mac(text),
      pepperVersion: pepper.version,
      tenant: TENANT,
      name: wish.name,
      consumer: wish.consumer ?? wish.name,
      scopes: wish.scopes,
      services: wish.services,
      models: wish.models,
      cidrs: wish.cidrs,
      rate: { limit: wish.rate.limit, windowSeconds: parseDuration(wish.rate.window) / 1000 },
      budgetUsdPerMonth: plainDecimal(wish.budgetUsdPerMonth),
      lastFour,
      status: 'active',
      createdAt: new Date(now),
      createdBy: actor.name,
      expiresAt: expiry.at,
      revokedAt: null,
      revokedBy: null,
    };
    return { text, key, view: viewOf(key, now) };
  }

  private async insert(manager: EntityManager, key: ApiKey, actor: AdminActor, view: ApiKeyView): Promise<void> {
    await apiKeys.expire(manager, key.createdAt);
    await apiKeys.insert(manager, key).catch((error: unknown) => {
      throw isNameTaken(error) ? new RefusalError(refuse('AUTH_KEY_CONFLICT', { name: key.name })) : error;
    });
    await this.record(manager, key, actor, { action: 'create', after: view });
  }

  /** @param cursor `next` of the page before. @throws RefusalError SCHEMA_VIOLATION on a cursor that is not ours. */
  async list(
    filter: Omit<KeyPage, 'after'> & { readonly cursor?: string },
  ): Promise<{ items: ApiKeyView[]; next: string | null }> {
    const { dataSource, cursors, clock } = this.ports;
    const { cursor, limit, consumer, status } = filter;
    const after = cursor === undefined ? undefined : cursors.read(cursor);
    if (cursor !== undefined && after === undefined) throw violation('/cursor', 'not a cursor of this list');
    const now = clock.now();
    // One more than asked for tells whether there is a next page.
    const page = { after, limit: limit + 1, consumer, status };
    const keys = await apiKeys.page(dataSource.manager, TENANT, new Date(now), page);
    const shown = keys.slice(0, limit);
    const next = keys.length > limit ? cursors.write(shown.at(-1)!.id) : null;
    return { items: shown.map((key) => viewOf(key, now)), next };
  }

  /** @throws RefusalError AUTH_KEY_NOT_FOUND */
  async get(kid: string): Promise<ApiKeyView> {
    const key = isKid(kid) ? await apiKeys.find(this.ports.dataSource.manager, TENANT, kid) : undefined;
    return viewOf(found(key, kid), this.ports.clock.now());
  }

  /**
   * Revokes a key for good; once more is no error and no second record.
   * @throws RefusalError AUTH_KEY_NOT_FOUND
   */
  async revoke(kid: string, actor: AdminActor): Promise<ApiKeyView> {
    if (!isKid(kid)) throw missing(kid);
    const now = this.ports.clock.now();
    const revoked = await this.ports.dataSource.transaction(async (manager) => {
      const key = found(await apiKeys.lock(manager, TENANT, kid), kid);
      if (key.status === 'revoked') return key;
      const after: ApiKey = { ...key, status: 'revoked', revokedAt: new Date(now), revokedBy: actor.name };
      await apiKeys.revoke(manager, key.id, after.revokedAt!, actor.name);
      await this.record(manager, key, actor, { action: 'update', before: viewOf(key, now), after: viewOf(after, now) });
      return after;
    });
    // Told again when it was revoked before: the caller may repeat because the first time was not heard.
    await this.ports.committed(revoked);
    return viewOf(revoked, now);
  }

  private record(
    manager: EntityManager,
    { tenant, kid, name }: ApiKey,
    { name: actorName, via }: AdminActor,
    change: { action: 'create' | 'update'; before?: ApiKeyView; after: ApiKeyView },
  ): Promise<void> {
    const { clock, random } = this.ports;
    const actor = { name: actorName, via };
    const object = { type: 'api-key', id: kid, name };
    return writeOutbox(
      manager,
      SCHEMA,
      changeCommitted({ tenant, actor, object, ...change, now: clock.now(), random }),
    );
  }
}

function found(key: ApiKey | undefined, kid: string): ApiKey {
  if (!key) throw missing(kid);
  return key;
}

function missing(kid: string): RefusalError {
  return new RefusalError(refuse('AUTH_KEY_NOT_FOUND', { key: kid }));
}

/** What can be the id of a key at all; anything else is not asked of the database. */
function isKid(text: string): boolean {
  return /^[0-9A-Za-z]{1,64}$/.test(text);
}

function violation(pointer: string, detail: string): RefusalError {
  const reason = `${pointer}: ${detail}`;
  return new RefusalError(refuse('SCHEMA_VIOLATION', { reason }), [{ pointer, code: 'custom', detail }]);
}

function isNameTaken(error: unknown): boolean {
  return (error as { driverError?: { constraint?: unknown } } | null)?.driverError?.constraint === ACTIVE_NAME;
}
