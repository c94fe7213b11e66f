import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Put, Query, type Type } from '@nestjs/common';
import { ApiBody, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { readAs } from '@sallyport/platform';
import type { z } from 'zod';
import { Catalog, type EditRequest } from '../catalog';
import type { Kind } from '../kinds';
import { CatalogReading } from '../reading';
import { AcceptsMergePatch, Asked, Edits, EditsWhatWasRead } from './asked';
import { documented, readable } from './documents';
import { mergePatch } from './merge-patch';
import { paged, PageQuery } from './paging';

/** Makes the controller of one kind of named objects: they differ by schema and address only. */
export function namedController(kind: Kind): Type {
  const noun = capital(kind.noun);
  const plural = kind.path.replace('-', ' ');
  const { shape } = kind.schema as unknown as z.ZodObject;
  const Document = documented(noun, kind.schema as unknown as z.ZodObject);
  const { one, page: many } = readable(`${noun}Read`, shape);

  @ApiTags(kind.path)
  @Controller(kind.path)
  class NamedController {
    constructor(
      private readonly catalog: Catalog,
      private readonly reading: CatalogReading,
    ) {}

    @Get()
    @ApiOkResponse({ type: many })
    @ApiOperation({ summary: `Lists ${plural}.` })
    list(@Query() query: PageQuery) {
      return paged(kind.path, query, (page) => this.reading.listNamed(kind, page));
    }

    @Post()
    @Edits()
    @ApiBody({ type: Document })
    @ApiCreatedResponse({ type: one })
    @ApiOperation({ summary: `Creates one of the ${plural}.` })
    create(@Body() body: unknown, @Asked() asked: EditRequest) {
      return this.catalog.createNamed(kind, readAs(kind.schema, body), asked);
    }

    @Get(':name')
    @ApiOkResponse({ type: one })
    @ApiOperation({ summary: `Reads one of the ${plural}.` })
    read(@Param('name') name: string) {
      return this.reading.named(kind, name);
    }

    @Put(':name')
    @EditsWhatWasRead()
    @ApiBody({ type: Document })
    @ApiOkResponse({ type: one })
    @ApiOperation({ summary: `Replaces one of the ${plural}.` })
    replace(@Param('name') name: string, @Body() body: unknown, @Asked() asked: EditRequest) {
      return this.catalog.replaceNamed(kind, name, () => readAs(kind.schema, body), asked);
    }

    @Patch(':name')
    @EditsWhatWasRead()
    @AcceptsMergePatch()
    @ApiOkResponse({ type: one })
    @ApiOperation({ summary: `Changes members of one of the ${plural}.` })
    change(@Param('name') name: string, @Body() patch: unknown, @Asked() asked: EditRequest) {
      return this.catalog.replaceNamed(kind, name, (now) => readAs(kind.schema, mergePatch(now, patch)), asked);
    }

    @Delete(':name')
    @HttpCode(204)
    @EditsWhatWasRead()
    @ApiOperation({ summary: `Removes one of the ${plural} that nothing uses.` })
    remove(@Param('name') name: string, @Asked() asked: EditRequest) {
      return this.catalog.removeNamed(kind, name, asked);
    }
  }
  Object.defineProperty(NamedController, 'name', { value: `${capital(kind.path)}Controller` });
  return NamedController;
}

/** `trust-entries` → `TrustEntries` */
function capital(words: string): string {
  return words.replace(/(?:^|[ -])(\w)/g, (_, letter: string) => letter.toUpperCase());
}
