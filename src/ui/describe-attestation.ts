// What an SBOM or a provenance says, in the lines of `inspect`.
import type { AttachedStatement } from '../client/attestations.ts';
import { formatBytes, formatCount } from './format.ts';

/** Labels and values; a value that is not known is undefined. */
export function describeStatement(
  statement: AttachedStatement,
): [label: string, value: string | undefined][] {
  const { predicateType, size, matches, problem, sbom, provenance } = statement;
  const doubt = matches === false ? ', of another image' : '';
  if (sbom !== undefined) {
    // SPDX says SPDX-2.3, CycloneDX 1.5.
    const version = sbom.version?.replace(/^SPDX-/, '');
    const parts = [
      [sbom.format, version].filter((part) => part !== undefined).join(' '),
      plural(sbom.packages, 'package'),
      ...(sbom.files ? [plural(sbom.files, 'file')] : []),
    ];
    const tools = sbom.tools.length === 0 ? '' : ` (${sbom.tools.join(', ')})`;
    return [['SBOM', `${parts.join(', ')}${tools}${doubt}`]];
  }
  if (provenance !== undefined) {
    const { slsa, builder, source, revision, entryPoint, materials, finished, started } = provenance;
    const built = finished ?? started;
    return [
      [
        'Provenance',
        `SLSA ${slsa}, ${plural(materials, 'material')}${built === undefined ? '' : `, built ${built}`}${doubt}`,
      ],
      ['  Builder', builder],
      ['  Source', source],
      ['  Revision', revision],
      ['  Entry point', entryPoint],
    ];
  }
  return [['Attestation', `${predicateType}, ${problem ?? formatBytes(size)}${doubt}`]];
}

function plural(count: number, what: string): string {
  return `${formatCount(count)} ${what}${count === 1 ? '' : 's'}`;
}
