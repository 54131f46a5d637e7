-- Intermediates lose their names in the catalogue; lineage still finds them by the names under which they were read.
create index production_input_name on production_input (name);
