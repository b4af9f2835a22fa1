using './policy.bicep'

param ruleId = ''
