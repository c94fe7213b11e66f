import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { declarative } from '@sallyport/contracts';
import { createZodDto } from '@sallyport/platform';
import { Catalog, type EditRequest } from '../catalog';
import { ConfigurationStatus } from '../configuration-status';
import { CatalogReading } from '../reading';
import { changesetAnswer } from './answers';
import { Asked, Edits } from './asked';
import { changesetAnswered, statusAnswered } from './documents';

class Declarative extends createZodDto(declarative) {}

/** The configuration as a whole. */
@ApiTags('configuration')
@Controller()
export class ConfigurationController {
  constructor(
    private readonly catalog: Catalog,
    private readonly reading: CatalogReading,
    private readonly status: ConfigurationStatus,
  ) {}

  @Post('changesets')
  @HttpCode(200)
  @Edits()
  @ApiBody({ type: Declarative })
  @ApiOkResponse({ type: changesetAnswered })
  @ApiOperation({ summary: 'Applies a declarative document: all of it in one revision, or nothing.' })
  async apply(@Body() body: unknown, @Asked() asked: EditRequest) {
    return changesetAnswer(await this.catalog.apply(body, asked), asked.dryRun === true);
  }

  @Get('export')
  @ApiOkResponse({ type: Declarative })
  @ApiOperation({ summary: 'Gives the configuration as a declarative document, in stable order.' })
  export() {
    return this.reading.export();
  }

  @Get('config/status')
  @ApiOkResponse({ type: statusAnswered })
  @ApiOperation({ summary: 'Tells the present revision and the one each node runs.' })
  read() {
    return this.status.read();
  }
}
