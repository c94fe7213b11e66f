import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Put, Query, type Type } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger';
import { createZodDto, readAs } from '@sallyport/platform';
import type { z } from 'zod';
import { Catalog, type EditRequest } from '../catalog';
import type { Kind } from '../kinds';
import { CatalogReading } from '../reading';
import { Asked, Edits, EditsWhatWasRead } from './asked';
import { mergePatch } from './merge-patch';
import { paged, PageQuery } from './paging';

/** Makes the controller of one kind of named objects: they differ by schema and address only. */
export function namedController(kind: Kind): Type {
  const Document = documentOf(kind);

  @ApiTags(kind.path)
  @Controller(kind.path)
  class NamedController {
    constructor(
      private readonly catalog: Catalog,
      private readonly reading: CatalogReading,
    ) {}

    @Get()
    @ApiOperation({ summary: `Lists each ${kind.noun}.` })
    list(@Query() query: PageQuery) {
      return paged(kind.path, query, (page) => this.reading.listNamed(kind, page));
    }

    @Post()
    @Edits()
    @ApiBody({ type: Document })
    @ApiOperation({ summary: `Creates a ${kind.noun}.` })
    create(@Body() body: unknown, @Asked() asked: EditRequest) {
      return this.catalog.createNamed(kind, readAs(kind.schema, body), asked);
    }

    @Get(':name')
    @ApiOperation({ summary: `Reads a ${kind.noun}.` })
    read(@Param('name') name: string) {
      return this.reading.named(kind, name);
    }

    @Put(':name')
    @EditsWhatWasRead()
    @ApiBody({ type: Document })
    @ApiOperation({ summary: `Replaces a ${kind.noun}.` })
    replace(@Param('name') name: string, @Body() body: unknown, @Asked() asked: EditRequest) {
      return this.catalog.replaceNamed(kind, name, () => readAs(kind.schema, body), asked);
    }

    @Patch(':name')
    @EditsWhatWasRead()
    @ApiBody({ type: Document, description: 'Members to change (RFC 7396).' })
    @ApiOperation({ summary: `Changes members of a ${kind.noun}.` })
    change(@Param('name') name: string, @Body() patch: unknown, @Asked() asked: EditRequest) {
      return this.catalog.replaceNamed(kind, name, (now) => readAs(kind.schema, mergePatch(now, patch)), asked);
    }

    @Delete(':name')
    @HttpCode(204)
    @EditsWhatWasRead()
    @ApiOperation({ summary: `Removes a ${kind.noun} that nothing uses.` })
    remove(@Param('name') name: string, @Asked() asked: EditRequest) {
      return this.catalog.removeNamed(kind, name, asked);
    }
  }
  return nameClass(NamedController, `${capital(kind.path)}Controller`);
}

/** The class by which the OpenAPI document names the schema. */
function documentOf(kind: Kind): Type {
  class Document extends createZodDto(kind.schema as unknown as z.ZodObject) {}
  return nameClass(Document, capital(kind.noun));
}

function nameClass<T extends Type>(type: T, name: string): T {
  Object.defineProperty(type, 'name', { value: name });
  return type;
}

/** `trust-entries` → `TrustEntries` */
function capital(words: string): string {
  return words.replace(/(?:^|[ -])(\w)/g, (_, letter: string) => letter.toUpperCase());
}
