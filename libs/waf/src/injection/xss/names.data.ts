// Observed from libmodsecurity 3.0.9 (libinjection 3.9.2) by tools/probe-libinjection on 2026-11-28.

export const tags = [
  ...['APPLET', 'BASE', 'COMMENT', 'EMBED', 'FRAME', 'FRAMESET', 'HANDLER', 'IFRAME', 'IMPORT', 'ISINDEX', 'LINK'],
  ...['LISTENER', 'META', 'NOSCRIPT', 'OBJECT', 'SCRIPT', 'STYLE', 'VMLFRAME', 'XML', 'XSS'],
];

export const tagPrefixes = ['SVG', 'XSL'];

export const attributesByDanger = {
  code: ['DATAFORMATAS', 'DATASRC', 'FILTER', 'STYLE'],
  address: [
    ...['ACTION', 'BACKGROUND', 'BY', 'DYNSRC', 'FOLDER', 'FORMACTION', 'FROM', 'HANDLER', 'HREF', 'LOWSRC', 'POSTER'],
    ...['SRC', 'TO', 'VALUES'],
  ],
  name: ['ATTRIBUTENAME'],
};

export const schemes = ['DATA', 'JAVA', 'VBSCRIPT', 'VIEW-SOURCE'];
