// An image on a page: what `inspect` shows a person.
import type { ImageInfo } from '../client/inspect.ts';
import { describeStatement } from './describe-attestation.ts';
import { formatAge, formatBytes, printable, shortDigest } from './format.ts';
import { formatTable } from './table.ts';

const LABEL_WIDTH = 14;

/** The image as lines; absent facts leave no line. */
export function describeImage(image: ImageInfo, width: number): string[] {
  const { config } = image;
  const lines: string[] = [];
  function fact(label: string, ...values: (string | undefined)[]): void {
    values
      .filter((value) => value !== undefined && value !== '')
      .forEach((value, i) => {
        lines.push(`${(i === 0 ? label : '').padEnd(LABEL_WIDTH)}${printable(value ?? '')}`);
      });
  }
  const command = (words: string[] | undefined): string | undefined =>
    words === undefined ? undefined : JSON.stringify(words);
  fact('Name', image.name);
  fact('Digest', image.digest);
  fact('Media type', image.mediaType);
  if (image.manifestDigest !== image.digest) fact('Manifest', image.manifestDigest);
  fact('Image ID', image.configDigest);
  fact('Platform', image.platform);
  if (image.platforms.length > 1) fact('Platforms', ...wrapWords(image.platforms, width - LABEL_WIDTH));
  fact('Created', image.created && `${image.created} (${formatAge(image.created)})`);
  fact('Author', image.author);
  fact('User', config.User);
  fact('Working dir', config.WorkingDir);
  fact('Entrypoint', command(config.Entrypoint));
  fact('Cmd', command(config.Cmd));
  fact('Env', ...(config.Env ?? []));
  fact('Ports', ...Object.keys(config.ExposedPorts ?? {}));
  fact('Volumes', ...Object.keys(config.Volumes ?? {}));
  fact('Stop signal', config.StopSignal);
  fact('Labels', ...Object.entries(config.Labels ?? {}).map(([key, value]) => `${key}=${value}`));
  fact(
    'Size',
    `${formatBytes(image.size)} compressed, ${image.layers.length} ${image.layers.length === 1 ? 'layer' : 'layers'}`,
  );
  const { attestations } = image;
  const undecoded = attestations.filter(({ statements }) => statements === undefined).length;
  if (undecoded > 0) fact('Attestations', `${undecoded}, decoded with --attestations`);
  for (const statement of attestations.flatMap(({ statements = [] }) => statements)) {
    for (const [label, value] of describeStatement(statement)) fact(label, value);
  }
  lines.push('');
  lines.push(
    ...formatTable(
      [{ title: 'LAYER' }, { title: 'SIZE', align: 'right' }, { title: 'MEDIA TYPE', flexible: true }],
      image.layers.map(({ digest, size, mediaType }) => [shortDigest(digest), formatBytes(size), mediaType]),
      { width },
    ),
  );
  return lines;
}

/** Words joined by commas into lines of at most `width`. */
function wrapWords(words: string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length + 2 <= width - 1)
      lines[lines.length - 1] = `${last}, ${word}`;
    else lines.push(word);
  }
  return lines.map((line, i) => (i < lines.length - 1 ? `${line},` : line));
}
