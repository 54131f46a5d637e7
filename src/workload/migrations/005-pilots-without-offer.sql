-- What a pilot offers comes with every question for work; nobody read what was noted of it.
alter table pilot drop column offer;
