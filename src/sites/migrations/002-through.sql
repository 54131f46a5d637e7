-- A site without a gateway of its own: the gateway of another site that acts for it, such as for a cluster behind ssh.
alter table site add column through text references gateway (name);
