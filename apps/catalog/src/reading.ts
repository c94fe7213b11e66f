import type { DeclarativeInput } from '@sallyport/contracts';
import type { DataSource, EntityManager } from 'typeorm';
import { missing } from './editing';
import { kinds, type Kind } from './kinds';
import type { NamedRow } from './store/named-table';
import type { Page } from './store/row';
import { services, versions } from './store/services';
import { TENANT } from './tenant';
import {
  exportDocument,
  namedView,
  serviceView,
  versionView,
  type NamedView,
  type ServiceView,
  type VersionView,
} from './views';

export interface Listed<Item> {
  readonly items: readonly Item[];
  /** Name after which the next page begins. */
  readonly last: string | undefined;
}

/** What can be asked of the catalog without changing it. */
export class CatalogReading {
  constructor(private readonly database: DataSource) {}

  async named(kind: Kind, name: string): Promise<NamedView> {
    const row = isName(name) ? await kind.table.find(this.manager, TENANT, name) : undefined;
    if (!row) throw missing(kind.noun, name);
    return namedView(row);
  }

  async listNamed(kind: Kind, page: Page): Promise<Listed<NamedView>> {
    const rows = await kind.table.page(this.manager, TENANT, oneMore(page));
    return listed(rows.map(namedView), page, ({ name }) => name);
  }

  async service(name: string): Promise<ServiceView> {
    const row = isName(name) ? await services.find(this.manager, TENANT, name) : undefined;
    if (!row) throw missing('service', name);
    return serviceView(row);
  }

  async listServices(page: Page): Promise<Listed<ServiceView>> {
    const rows = await services.page(this.manager, TENANT, oneMore(page));
    return listed(rows.map(serviceView), page, ({ name }) => name);
  }

  async version(service: string, version: string): Promise<VersionView> {
    const known = isName(service) && isName(version);
    const row = known ? await versions.find(this.manager, TENANT, service, version) : undefined;
    if (!row) throw missing('version', `${service} ${version}`);
    return versionView(row);
  }

  async listVersions(service: string, page: Page): Promise<Listed<VersionView>> {
    await this.service(service);
    const rows = await versions.page(this.manager, TENANT, service, oneMore(page));
    return listed(rows.map(versionView), page, ({ version }) => version);
  }

  /** The whole configuration as a declarative document: the same configuration, the same bytes. */
  async export(): Promise<DeclarativeInput> {
    // One transaction that sees one moment: an edit between two lists would tear the document.
    return this.database.transaction('REPEATABLE READ', async (manager) => {
      const own = <T extends { tenant: string }>(rows: readonly T[]): T[] =>
        rows.filter(({ tenant }) => tenant === TENANT);
      const named: { kind: Kind; rows: NamedRow<object>[] }[] = [];
      for (const kind of kinds) named.push({ kind, rows: own(await kind.table.all(manager)) });
      return exportDocument(own(await versions.all(manager)), named);
    });
  }

  private get manager(): EntityManager {
    return this.database.manager;
  }
}

/** What can be a name at all; anything else is not asked of the database. */
function isName(text: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(text);
}

function oneMore({ after, limit }: Page): Page {
  return { after, limit: limit + 1 };
}

function listed<Item>(items: readonly Item[], { limit }: Page, nameOf: (item: Item) => string): Listed<Item> {
  const page = items.slice(0, limit);
  return { items: page, last: items.length > limit ? nameOf(page.at(-1)!) : undefined };
}
