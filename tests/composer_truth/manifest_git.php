<?php
/*
 * What Composer's VcsRepository loads from a repository, for the tests metadata_differential and hg_svn.
 *
 * Standard input: one JSON object a line: {"url": path or address of a repository, "home": a directory for Composer's
 * own files, "type": its driver (git), "options": what else its configuration says}.
 * Standard output: one JSON object a line: {"versions": what ArrayDumper writes of each package}.
 */

use Composer\Config;
use Composer\IO\NullIO;
use Composer\Package\AliasPackage;
use Composer\Package\Dumper\ArrayDumper;
use Composer\Repository\VcsRepository;
use Composer\Util\ErrorHandler;
use Composer\Util\HttpDownloader;

require 'Composer/autoload.php';
setlocale(LC_ALL, 'C');
ErrorHandler::register();

while (false !== ($line = fgets(STDIN))) {
    $question = json_decode($line, true);
    ['url' => $url, 'home' => $home] = $question;
    $options = ['type' => $question['type'] ?? 'git', 'url' => $url] + ($question['options'] ?? []);
    putenv('COMPOSER_HOME=' . $home);
    putenv('COMPOSER_CACHE_DIR=' . $home . '/cache');
    $config = new Config(false);
    $config->merge(['config' => ['home' => $home, 'cache-dir' => $home . '/cache', 'secure-http' => false]]);
    $io = new NullIO();
    $repository = new VcsRepository($options, $io, $config, new HttpDownloader($io, $config));
    $versions = [];
    foreach ($repository->getPackages() as $package) {
        if (!$package instanceof AliasPackage) {
            $versions[] = (new ArrayDumper())->dump($package);
        }
    }
    echo json_encode(['versions' => $versions, 'poison' => (object) []], JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION), "\n";
}
