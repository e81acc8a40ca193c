-- What runs of a synchronization would leave. It has no next run, and its platform is never asked.
INSERT OR IGNORE INTO integration VALUES ('ghes', 'github', 'https://ghe.example.com', 0);
INSERT INTO sync (id, org_id, integration, remote, credential_id, created_at, last_run_at, outcome, error, confirmed_at,
        held_digest, held_plan, held_at, next_run_at)
    SELECT 1, 1, 'ghes', 'an-organization-with-quite-a-long-name', (SELECT id FROM credential WHERE name = 'deploy'), unixepoch() * 1000000, unixepoch() * 1000000 - 60000000, 'held',
        'it lists 6 repositories and listed 37 before', unixepoch() * 1000000 - 60000000, 'd1ge57d1ge57d1ge57d1',
        '{"losses":[],"changes":[["remove",{"kind":"package","name":"nordwerk/route-planner","detail":"not listed any more"}],["remove",{"kind":"package","name":"nordwerk/a-package-with-a-name-of-sixty-characters-no-fewer-no-more","detail":"not listed any more"}],["remove",{"kind":"member","name":"ghes:somebody-with-a-name-of-forty-characters","detail":"no member any more"}]]}',
        unixepoch() * 1000000 - 3600000000, unixepoch() * 1000000 + 86400000000;
INSERT INTO sync (id, org_id, integration, remote, is_primary, created_at, last_run_at, outcome, confirmed_at, next_run_at)
    SELECT 2, 1, 'ghes', 'acme', 1, unixepoch() * 1000000, unixepoch() * 1000000, 'ok', unixepoch() * 1000000, unixepoch() * 1000000 + 86400000000;
INSERT INTO repository (org_id, sync_id, remote_id, path, url, web_url, state, visibility, manifest, package_id, decision, reason, found_at, gone_at)
    VALUES (1, 1, '10', 'nordwerk/library', 'https://ghe.example.com/nordwerk/library.git', 'https://ghe.example.com/nordwerk/library', 'active', 'private', 1, 1, 'package', '', 0, NULL),
        (1, 1, '11', 'nordwerk/docs', 'https://ghe.example.com/nordwerk/docs.git', NULL, 'active', 'internal', 0, NULL, 'none', '', 0, NULL),
        (1, 1, '12', 'nordwerk/a-repository-with-quite-a-long-name-that-has-to-be-broken', 'https://ghe.example.com/nordwerk/old.git', NULL, 'archived', 'private', 1, NULL, 'left', '', 0, NULL),
        (1, 1, '13', 'nordwerk/removed', 'https://ghe.example.com/nordwerk/removed.git', NULL, 'active', 'private', 1, NULL, 'removed', '', 0, NULL),
        (1, 1, '14', 'nordwerk/wanted', 'https://ghe.example.com/nordwerk/wanted.git', NULL, 'active', 'private', 1, NULL, 'wanted', '', 0, NULL),
        (1, 1, '15', 'nordwerk/gone', 'https://ghe.example.com/nordwerk/gone.git', NULL, 'active', 'private', 1, NULL, 'package', '', 0, unixepoch() * 1000000);
INSERT INTO sync_run (id, org_id, sync_id, cause, started_at, ended_at, outcome, error, notices, requests, unmodified, remaining, resets_at, added, changed, removed)
    VALUES (1, 1, 1, 'asked', unixepoch() * 1000000 - 90000000000, unixepoch() * 1000000 - 89962000000, 'changed', NULL, '[]', 412, 0, 4588, unixepoch() * 1000000, 37, 0, 0),
        (2, 1, 1, 'schedule', unixepoch() * 1000000 - 3600000000, unixepoch() * 1000000 - 3591000000, 'failed', 'page 2 of the teams answered 502', '[]', 12, 3, 4576, unixepoch() * 1000000, 0, 0, 0),
        (3, 1, 1, 'hook', unixepoch() * 1000000 - 60000000, unixepoch() * 1000000 - 55000000, 'held', 'it lists 6 repositories and listed 37 before', '["the token may not see the members of secret teams"]', 120, 90, 4321, unixepoch() * 1000000 + 1800000000, 2, 2, 1);
INSERT INTO sync_change VALUES (1, 3, 1, 'add', 'package', 'nordwerk/label-printer', 'new repository, composer.json on main'),
    (1, 3, 2, 'add', 'member', 'ghes:sara-oyelaran', 'as member'),
    (1, 3, 3, 'change', 'team', 'Storefront', 'is called Shop now'),
    (1, 3, 4, 'change', 'permission', 'nordwerk/a-package-with-a-name-of-sixty-characters-no-fewer-no-more', 'base permission read, now none: 171 people lose it'),
    (1, 3, 5, 'remove', 'member', 'ghes:kmueller', 'left the organization');
INSERT INTO platform_hook (org_id, sync_id, repository, digest, address, secret, state, error, created_at, checked_at, last_delivery_at, unsigned_since)
    VALUES (1, 1, NULL, x'00', x'', x'', 'refused', 'the credential may not install a webhook of the organization', 0, unixepoch() * 1000000 - 600000000, NULL, NULL),
        (1, 1, '10', x'01', x'', x'', 'ok', NULL, 0, unixepoch() * 1000000 - 600000000, unixepoch() * 1000000 - 60000000, NULL),
        (1, 1, '12', x'02', x'', x'', 'failing', 'the last delivery was answered with 503', 0, unixepoch() * 1000000 - 600000000, unixepoch() * 1000000 - 60000000, unixepoch() * 1000000);
INSERT INTO platform_delivery (integration, org_id, sync_id, guid, event, subject, size, received_at)
    VALUES ('ghes', 1, 1, 'a', 'push', 'nordwerk/library', 8210, unixepoch() * 1000000 - 60000000),
        ('ghes', 1, 1, 'b', 'team.edited', 'Storefront', 3011, unixepoch() * 1000000 - 30000000);
