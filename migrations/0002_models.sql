-- Trained models that searches start from, registered by upload.
--
-- A model is read once, when it arrives: what is stored is its network and its weights as this project knows them.
-- Both files (the upload under `digest`, the weights under `weights_digest`) lie in the data folder.
create table models (
    id             uuid primary key,
    -- SHA-256 of the uploaded file, lowercase hex: registering the same bytes again is the same model.
    digest         text not null unique check (digest ~ '^[0-9a-f]{64}$'),
    -- File name.
    file           text not null check (file ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'),
    bytes          bigint not null check (bytes >= 0),
    -- What it was: format, version, writer.
    source         text not null,
    -- What a user should know of the import: a list of sentences.
    notes          jsonb not null check (jsonb_typeof(notes) = 'array'),
    -- The network as it was imported, with its own quantizers.
    candidate      jsonb not null,
    -- The weights, under the float reference of that network.
    weights_digest text not null references artifacts (digest),
    created_at     timestamptz not null default now()
);
