<?php
/*
 * Composer's own answer to "what is in this repository", for the test metadata_differential.
 *
 * Standard input: one JSON object a line, a repository: {"root": branch, "tags": {name: commit}, "branches": {name: commit},
 * "files": {commit: base64 of composer.json, or null}, "times": {commit: unix time}}.
 * Standard output: one JSON object a line: {"versions": what VcsRepository loads and ArrayDumper writes, "poison": {version: why a
 * client would die of it}, "abort": the error that ended the whole crawl, or null, "log": what Composer said}.
 *
 * The repositories are read by the real VcsRepository through a driver that knows no version control system. The keys that a server has
 * to say itself are removed from the manifests first.
 */

use Composer\Config;
use Composer\IO\BufferIO;
use Composer\Package\AliasPackage;
use Composer\Package\Dumper\ArrayDumper;
use Composer\Package\Loader\ArrayLoader;
use Composer\Repository\InvalidRepositoryException;
use Composer\Repository\Vcs\VcsDriver;
use Composer\Repository\VcsRepository;
use Composer\Util\ErrorHandler;
use Composer\Util\HttpDownloader;
use Symfony\Component\Console\Output\OutputInterface;

require 'Composer/autoload.php';
setlocale(LC_ALL, 'C');
ini_set('display_errors', 'stderr');

final class ListedDriver extends VcsDriver
{
    public const OWN = ['source', 'dist', 'notification-url', 'installation-source'];

    public static array $repository = [];

    public function initialize(): void
    {
    }

    public function getRootIdentifier(): string
    {
        return self::$repository['root'];
    }

    public function getTags(): array
    {
        return self::$repository['tags'];
    }

    public function getBranches(): array
    {
        return self::$repository['branches'];
    }

    public function getUrl(): string
    {
        return $this->url;
    }

    public function getSource(string $identifier): array
    {
        return ['type' => 'git', 'url' => $this->url, 'reference' => $identifier];
    }

    public function getDist(string $identifier): ?array
    {
        return null;
    }

    private function commit(string $identifier): string
    {
        return self::$repository['branches'][$identifier] ?? $identifier;
    }

    public function getFileContent(string $file, string $identifier): ?string
    {
        $content = base64_decode(self::$repository['files'][$this->commit($identifier)] ?? '');

        return trim($content) ? $content : null;
    }

    public function getChangeDate(string $identifier): ?DateTimeImmutable
    {
        return new DateTimeImmutable('@' . self::$repository['times'][$this->commit($identifier)]);
    }

    public function getComposerInformation(string $identifier): ?array
    {
        $information = $this->getBaseComposerInformation($identifier);

        return null === $information ? null : array_diff_key($information, array_flip(self::OWN));
    }

    public static function supports(Composer\IO\IOInterface $io, Config $config, string $url, bool $deep = false): bool
    {
        return false;
    }
}

/** What a client says that reads the version from a metadata file. */
function verdict(array $version): ?string
{
    $version['dist'] = ['type' => 'zip', 'url' => 'https://repo.example.org/x.zip', 'reference' => 'x', 'shasum' => ''];
    $json = json_encode($version, JSON_PRESERVE_ZERO_FRACTION);
    if (false === $json) {
        return json_last_error_msg();
    }
    try {
        (new ArrayLoader(null, true))->loadPackages([json_decode($json, true)]);
    } catch (Throwable $e) {
        return get_class($e) . ': ' . $e->getMessage();
    }

    return null;
}

$flags = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION | JSON_INVALID_UTF8_SUBSTITUTE;
$silent = new BufferIO();
$config = new Config(false);
$http = new HttpDownloader($silent, $config);
$dumper = new ArrayDumper();
ErrorHandler::register();

while (false !== ($line = fgets(STDIN))) {
    ListedDriver::$repository = json_decode($line, true);
    $io = new BufferIO('', OutputInterface::VERBOSITY_VERY_VERBOSE);
    $answer = ['versions' => [], 'poison' => [], 'abort' => null];
    try {
        $repository = new VcsRepository(
            ['type' => 'listed', 'url' => 'https://git.example.org/acme/lib.git'],
            $io, $config, $http, null, null, ['listed' => ListedDriver::class]
        );
        foreach ($repository->getPackages() as $package) {
            if ($package instanceof AliasPackage) {
                continue;
            }
            $version = $dumper->dump($package);
            $answer['versions'][] = $version;
            if (null !== ($verdict = verdict($version))) {
                $answer['poison'][$version['version']] = $verdict;
            }
        }
    } catch (InvalidRepositoryException $e) {
        // No ref is a version.
    } catch (Throwable $e) {
        $answer['abort'] = get_class($e) . ': ' . $e->getMessage();
    }
    $answer['poison'] = (object) $answer['poison'];
    $answer['log'] = $io->getOutput();
    $json = json_encode($answer, $flags);
    if (false === $json) {
        $json = json_encode(['versions' => [], 'poison' => (object) [], 'abort' => 'unencodable: ' . json_last_error_msg(), 'log' => ''], $flags);
    }
    echo $json, "\n";
}
