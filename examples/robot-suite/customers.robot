*** Settings ***
Documentation       Checks the customer records that the branches hand in every night, before they are loaded.
...
...                 A record with anything wrong is kept aside in ``rejected.csv`` with the reason; all others are
...                 in ``accepted.csv``. The run itself fails only where the files as a whole cannot be used, or
...                 where the input ``strict`` asks for it.
Library             library/CustomerRecords.py    ${CURDIR}/data
Suite Teardown      Hand Over The Result
Test Tags           customers

*** Test Cases ***
Every Branch Hands In Its Records
    [Documentation]    Without a file, or with other columns, nothing below means anything.
    ${branches} =    Branch Names
    Should Not Be Empty    ${branches}    msg=There is no CSV file in the folder.
    FOR    ${branch}    IN    @{branches}
        Branch Should Have All Columns    ${branch}
    END

Each Record
    [Documentation]    A template: there is one such test for each record in the files.
    [Tags]    each-record
    Record Should Be Sound    branch    customer    line
