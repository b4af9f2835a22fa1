using './watch.bicep'

param workspaceName = ''
param programNames = []
param actionGroupIds = []
