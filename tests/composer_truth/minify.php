<?php
/*
 * Minifies and expands lists of versions with Composer's own class, for the test metadata_differential.
 *
 * Standard input: one JSON array a line, versions. Standard output: one JSON object a line, {"minified": …, "restored": that expanded
 * again, "expanded": the input taken for a minified list}.
 */

declare(strict_types=1);

use Composer\MetadataMinifier\MetadataMinifier;

require 'Composer/autoload.php';

while (($line = fgets(STDIN)) !== false) {
    $versions = json_decode($line, true, 512, JSON_THROW_ON_ERROR);
    $minified = MetadataMinifier::minify($versions);
    echo json_encode([
        'minified' => $minified,
        'restored' => MetadataMinifier::expand($minified),
        'expanded' => MetadataMinifier::expand($versions),
    ], JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION), "\n";
}
