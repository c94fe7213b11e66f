import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import type { BusTap } from './bus-tap';
import { vendorKey } from './chat.suite';
import type { Product } from './product';

/** Looks for secrets wherever something is kept: logs, every file that was written, every row of every table. */
export function describeSecrets(product: () => Product, bus: () => BusTap | undefined): void {
  /** By the name under which a finding is shown, since a failed test must not print the secret either. */
  let secrets: Record<string, string>;

  beforeAll(async () => {
    const { key } = await product().apiKey({ name: 'canary' });
    secrets = { 'the provider key': vendorKey, 'an API key': key, 'the admin token': product().adminToken };
  });

  function secretsIn(text: string | Buffer): string[] {
    const holds = (secret: string) =>
      text.includes(secret) || text.includes(Buffer.from(secret).toString('hex')) || text.includes(btoa(secret));
    return Object.entries(secrets)
      .filter(([, secret]) => holds(secret))
      .map(([name]) => name);
  }

  it('stand in no line of any log', async () => {
    // The one line for scripts shows the admin token, on purpose and once.
    const lines = product()
      .logs()
      .split('\n')
      .filter((line) => !line.startsWith('{"ready":true'));
    expect(lines.length).toBeGreaterThan(10);
    expect(secretsIn(lines.join('\n'))).toEqual([]);
  });

  it('stand in no file: no spool, no snapshot, no database page, no stream of the bus', async () => {
    const files = filesBelow(product().folder);
    expect(files.length).toBeGreaterThan(10);
    expect(files.flatMap((path) => secretsIn(readFileSync(path)).map((name) => `${name} in ${path}`))).toEqual([]);
  });

  it('stand in no row of the database', async () => {
    const { postgres } = product().servers ?? {};
    // The pages of an embedded database are among the files.
    if (!postgres) return;
    const client = new Client({ connectionString: postgres.url });
    await client.connect();
    try {
      const { rows: tables } = await client.query<{ name: string }>(
        `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
      );
      expect(tables.length).toBeGreaterThan(10);
      for (const { name } of tables) {
        const { rows } = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${name} AS t`);
        expect({ table: name, holds: secretsIn(rows.map(({ row }) => row).join('\n')) }).toEqual({
          table: name,
          holds: [],
        });
      }
    } finally {
      await client.end();
    }
  });

  it('travel in no message of the bus', () => {
    const { heard } = bus() ?? {};
    // In one process the bus is memory of that process.
    if (!heard) return;
    expect(heard.length).toBeGreaterThan(100);
    expect(secretsIn(heard.join('\n'))).toEqual([]);
  });

  it('stand in no record of the audit', async () => {
    let cursor = '';
    let count = 0;
    do {
      const answer = await product().admin(`/api/audit/v1/events?limit=200${cursor && `&cursor=${cursor}`}`);
      const { items, next } = answer.json<{ items: unknown[]; next: string | null }>();
      expect(secretsIn(answer.text)).toEqual([]);
      count += items.length;
      cursor = next ?? '';
    } while (cursor !== '');
    expect(count).toBeGreaterThan(50);
  });
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}
