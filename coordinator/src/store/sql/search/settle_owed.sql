-- Marks that the synthesis jobs owed by the policy of search $1 have their rows.
update searches set synthesis_owed = false where id = $1
