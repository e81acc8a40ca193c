-- Since when a hook's deliveries are signed by the strongest scheme of its platform: none is taken by a weaker one from then on.
ALTER TABLE platform_hook ADD COLUMN signed_at INTEGER;
