-- Whether a node showed that the header of block 0 hashes to `genesis_hash`, as on Ethereum: then no node gets out of proving
-- what it says by giving another header.
ALTER TABLE checkpoint ADD COLUMN headers_hash boolean NOT NULL DEFAULT false;
