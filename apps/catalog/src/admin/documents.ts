import type { Type } from '@nestjs/common';
import { declaredService, versionSpec, versionState } from '@sallyport/contracts';
import { createZodDto } from '@sallyport/platform';
import { z } from 'zod';

/** What the OpenAPI document says of answers: what was declared, and what the catalog adds. */

const meta = {
  id: z.uuid(),
  rev: z.int(),
  createdAt: z.iso.datetime(),
  createdBy: z.string(),
  updatedAt: z.iso.datetime(),
  updatedBy: z.string(),
};

const finding = z.object({
  code: z.string(),
  severity: z.enum(['error', 'warning']),
  where: z.string(),
  message: z.string(),
  fix: z.string(),
});

/** The class by which the OpenAPI document names a schema. */
export function documented(name: string, schema: z.ZodObject): Type {
  class Document extends createZodDto(schema) {}
  Object.defineProperty(Document, 'name', { value: name });
  return Document;
}

/** An object as it is read, and a page of such objects. */
export function readable(name: string, shape: z.ZodRawShape): { one: Type; page: Type } {
  const object = z.object({ ...shape, ...meta, findings: z.array(finding).optional() });
  return {
    one: documented(name, object),
    page: documented(`${name}Page`, z.object({ items: z.array(object), next: z.string().nullable() })),
  };
}

const moment = z.iso.datetime().nullable();

export const readableService = readable('ServiceRead', {
  name: declaredService.shape.name,
  kind: declaredService.shape.kind,
});

export const readableVersion = readable('VersionRead', {
  service: declaredService.shape.name,
  version: declaredService.shape.version,
  ...versionSpec.shape,
  lifecycle: z.object({
    state: versionState,
    published: moment,
    deprecated: moment,
    sunset: moment,
    decommissioned: moment,
    successor: z.string().nullable(),
    reason: z.string().nullable(),
  }),
});

export const changesetAnswered = documented(
  'ChangesetRead',
  z.object({
    dryRun: z.boolean(),
    revision: z.string(),
    changes: z.array(
      z.object({
        action: z.enum(['create', 'update', 'delete']),
        type: z.string(),
        name: z.string(),
        event: z.string().optional(),
        before: z.record(z.string(), z.unknown()).optional(),
        after: z.record(z.string(), z.unknown()).optional(),
      }),
    ),
    findings: z.array(finding),
  }),
);

export const statusAnswered = documented(
  'ConfigurationStatusRead',
  z.object({
    revision: z.string().nullable(),
    sha256: z.string().nullable(),
    publishedAt: moment,
    nodes: z.array(
      z.object({
        node: z.string(),
        app: z.string(),
        revision: z.string().optional(),
        milliseconds: z.number().optional(),
        error: z.string().optional(),
        at: z.iso.datetime(),
        current: z.boolean(),
      }),
    ),
  }),
);
