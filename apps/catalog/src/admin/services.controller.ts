import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Put, Query } from '@nestjs/common';
import { ApiBody, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { declaredLifecycle, declaredService, versionSpec } from '@sallyport/contracts';
import { createZodDto, readAs } from '@sallyport/platform';
import { z } from 'zod';
import { Catalog, type EditRequest } from '../catalog';
import { CatalogReading } from '../reading';
import { AcceptsMergePatch, Asked, Edits, EditsWhatWasRead } from './asked';
import { readableService, readableVersion } from './documents';
import { mergePatch } from './merge-patch';
import { paged, PageQuery } from './paging';

const { name, kind, version } = declaredService.shape;
const { sunset, successor, reason } = declaredLifecycle.shape;

class Service extends createZodDto(z.strictObject({ name, kind })) {}
class NewVersion extends createZodDto(z.strictObject({ version, ...versionSpec.shape })) {}
class Version extends createZodDto(versionSpec) {}
class Nothing extends createZodDto(z.strictObject({})) {}
class Deprecation extends createZodDto(z.strictObject({ sunset, successor, reason })) {}
class Reason extends createZodDto(z.strictObject({ reason })) {}

@ApiTags('services')
@Controller('services')
export class ServicesController {
  constructor(
    private readonly catalog: Catalog,
    private readonly reading: CatalogReading,
  ) {}

  @Get()
  @ApiOkResponse({ type: readableService.page })
  @ApiOperation({ summary: 'Lists the services.' })
  list(@Query() query: PageQuery) {
    return paged('services', query, (page) => this.reading.listServices(page));
  }

  @Post()
  @Edits()
  @ApiCreatedResponse({ type: readableService.one })
  @ApiOperation({ summary: 'Creates a service without versions.' })
  create(@Body() body: Service, @Asked() asked: EditRequest) {
    return this.catalog.createService(body, asked);
  }

  @Get(':service')
  @ApiOkResponse({ type: readableService.one })
  @ApiOperation({ summary: 'Reads a service.' })
  read(@Param('service') service: string) {
    return this.reading.service(service);
  }

  @Delete(':service')
  @HttpCode(204)
  @EditsWhatWasRead()
  @ApiOperation({ summary: 'Removes a service that has no version.' })
  remove(@Param('service') service: string, @Asked() asked: EditRequest) {
    return this.catalog.removeService(service, asked);
  }

  @Get(':service/versions')
  @ApiOkResponse({ type: readableVersion.page })
  @ApiOperation({ summary: 'Lists the versions of a service.' })
  listVersions(@Param('service') service: string, @Query() query: PageQuery) {
    return paged(`services/${service}`, query, (page) => this.reading.listVersions(service, page));
  }

  @Post(':service/versions')
  @Edits()
  @ApiCreatedResponse({ type: readableVersion.one })
  @ApiOperation({ summary: 'Creates a version as a draft.' })
  createVersion(@Param('service') service: string, @Body() body: NewVersion, @Asked() asked: EditRequest) {
    return this.catalog.createVersion(service, body, asked);
  }

  @Get(':service/versions/:version')
  @ApiOkResponse({ type: readableVersion.one })
  @ApiOperation({ summary: 'Reads a version with its routes.' })
  readVersion(@Param('service') service: string, @Param('version') label: string) {
    return this.reading.version(service, label);
  }

  @Put(':service/versions/:version')
  @EditsWhatWasRead()
  @ApiOkResponse({ type: readableVersion.one })
  @ApiOperation({ summary: 'Replaces what a version says; a published one is served so at once.' })
  replaceVersion(
    @Param('service') service: string,
    @Param('version') label: string,
    @Body() body: Version,
    @Asked() asked: EditRequest,
  ) {
    return this.catalog.editVersion(service, label, () => body, asked);
  }

  @Patch(':service/versions/:version')
  @EditsWhatWasRead()
  @AcceptsMergePatch()
  @ApiOkResponse({ type: readableVersion.one })
  @ApiOperation({ summary: 'Changes members of a version.' })
  changeVersion(
    @Param('service') service: string,
    @Param('version') label: string,
    @Body() patch: unknown,
    @Asked() asked: EditRequest,
  ) {
    return this.catalog.editVersion(service, label, (now) => readAs(versionSpec, mergePatch(now, patch)), asked);
  }

  @Delete(':service/versions/:version')
  @HttpCode(204)
  @EditsWhatWasRead()
  @ApiOperation({ summary: 'Removes a draft.' })
  removeVersion(@Param('service') service: string, @Param('version') label: string, @Asked() asked: EditRequest) {
    return this.catalog.removeVersion(service, label, asked);
  }

  @Post(':service/versions/:version/publish')
  @HttpCode(200)
  @Edits()
  @ApiBody({ type: Nothing, required: false })
  @ApiOkResponse({ type: readableVersion.one })
  @ApiOperation({ summary: 'Serves a draft; a dry run shows the preflight.' })
  publish(
    @Param('service') service: string,
    @Param('version') label: string,
    @Body() body: unknown,
    @Asked() asked: EditRequest,
  ) {
    return this.catalog.stepVersion(service, label, { event: 'publish', ...said(Nothing, body) }, asked);
  }

  @Post(':service/versions/:version/deprecate')
  @HttpCode(200)
  @Edits()
  @ApiBody({ type: Deprecation })
  @ApiOkResponse({ type: readableVersion.one })
  @ApiOperation({ summary: 'Announces the end of a version, or moves it.' })
  deprecate(
    @Param('service') service: string,
    @Param('version') label: string,
    @Body() body: unknown,
    @Asked() asked: EditRequest,
  ) {
    return this.catalog.stepVersion(service, label, { event: 'deprecate', ...ending(said(Deprecation, body)) }, asked);
  }

  @Post(':service/versions/:version/reinstate')
  @HttpCode(200)
  @Edits()
  @ApiBody({ type: Reason, required: false })
  @ApiOkResponse({ type: readableVersion.one })
  @ApiOperation({ summary: 'Takes a deprecation back.' })
  reinstate(
    @Param('service') service: string,
    @Param('version') label: string,
    @Body() body: unknown,
    @Asked() asked: EditRequest,
  ) {
    return this.catalog.stepVersion(service, label, { event: 'reinstate', ...said(Reason, body) }, asked);
  }

  @Post(':service/versions/:version/sunset')
  @HttpCode(200)
  @Edits()
  @ApiBody({ type: Reason })
  @ApiOkResponse({ type: readableVersion.one })
  @ApiOperation({ summary: 'Ends a deprecated version at once, for a reason.' })
  sunset(
    @Param('service') service: string,
    @Param('version') label: string,
    @Body() body: unknown,
    @Asked() asked: EditRequest,
  ) {
    return this.catalog.stepVersion(service, label, { event: 'sunset', by: 'admin', ...said(Reason, body) }, asked);
  }

  @Post(':service/versions/:version/decommission')
  @HttpCode(200)
  @Edits()
  @ApiBody({ type: Reason })
  @ApiOkResponse({ type: readableVersion.one })
  @ApiOperation({ summary: 'Closes a version that has ended; it answers 410 for another twelve months.' })
  decommission(
    @Param('service') service: string,
    @Param('version') label: string,
    @Body() body: unknown,
    @Asked() asked: EditRequest,
  ) {
    return this.catalog.stepVersion(service, label, { event: 'decommission', ...said(Reason, body) }, asked);
  }
}

/** A step may be asked for without a body. */
function said<T>(type: { schema: z.ZodType<T> }, body: unknown): T {
  return readAs(type.schema, body ?? {});
}

function ending({ sunset: ends, ...rest }: { sunset?: string; successor?: string; reason?: string }) {
  return { ...rest, ...(ends !== undefined && { sunset: Date.parse(ends) }) };
}
