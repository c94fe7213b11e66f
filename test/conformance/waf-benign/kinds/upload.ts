import { browserFields } from '../clients';
import type { Kind } from '../generator';
import type { Random } from '../random';

/** Somebody sends files in a form. */
export const upload: Kind = (random, vocabulary) => {
  const boundary = random.pick([
    `----WebKitFormBoundary${random.hex(16)}`,
    `---------------------------${random.int(1e9)}`,
    random.hex(32),
  ]);
  const parts = [
    ...random.times(0, 3, () => field(random.pick(['title', 'description', 'album']), vocabulary.sentence())),
    ...random.times(1, 3, (at) => file(random, `file${at}`)),
  ];
  return {
    profile: 'upload',
    method: 'POST',
    target: random.pick(['/upload', '/v1/files', '/avatars?crop=1', '/tickets/12/attachments']),
    fields: [...browserFields(random), ['Content-Type', `multipart/form-data; boundary=${boundary}`]],
    body: Buffer.concat([
      ...parts.map((part) => Buffer.concat([Buffer.from(`--${boundary}\r\n`), part])),
      Buffer.from(`--${boundary}--\r\n`),
    ]),
  };
};

function field(name: string, value: string): Buffer {
  return Buffer.from(`Content-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`);
}

const files: readonly (readonly [name: string, type: string])[] = [
  ['photo.jpg', 'image/jpeg'],
  ['Screenshot 2025-10-01 at 10.12.33.png', 'image/png'],
  ['Rechnung März (2).pdf', 'application/pdf'],
  ['report_final.v2.docx', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
  ['data.csv', 'text/csv'],
  ['notes.txt', 'text/plain'],
  ['写真 1.heic', 'image/heic'],
  ['backup.tar.gz', 'application/gzip'],
  ['clip.mp4', 'video/mp4'],
  ['table.xlsx', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
  ['export 2025.json', 'application/json'],
];

function file(random: Random, name: string): Buffer {
  const [fileName, type] = random.pick(files);
  const head = `Content-Disposition: form-data; name="${name}"; filename="${fileName}"\r\nContent-Type: ${type}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), random.bytes(random.between(10, 4000)), Buffer.from('\r\n')]);
}
